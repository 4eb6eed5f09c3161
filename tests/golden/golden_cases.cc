#include "tests/golden/golden_cases.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "tests/fixtures/shared_data.h"
#include "tests/fixtures/sounds.h"

namespace hearwire {

std::string NameOf(GoldenKind kind) {
  switch (kind) {
    case GoldenKind::kScene:
      return "scene";
    case GoldenKind::kTimestamps:
      return "timestamps";
    case GoldenKind::kLogits:
      return "logits";
  }
  return "";
}

std::vector<GoldenCase> CommittedGoldenCases() { return CommittedGoldenCases(HEARWIRE_SOURCE_DIR "/tests/golden"); }

std::vector<GoldenCase> CommittedGoldenCases(const std::string& goldens) {
  const std::string dir = goldens + "/hearwire_mn01/";
  const Config* const config = FindConfig(kEmbeddedConfigName);
  std::vector<GoldenCase> cases;
  for (const Sound& sound : GoldenSounds()) {
    GoldenCase golden = {.config = config, .clip = sound.name};
    golden.expected_path = dir + sound.name + ".scene.npy";
    cases.push_back(golden);
    golden.kind = GoldenKind::kLogits;
    golden.expected_path = dir + sound.name + ".logits.npy";
    cases.push_back(golden);
    golden.kind = GoldenKind::kTimestamps;
    golden.expected_path = dir + sound.name + ".ts.npy";
    if (std::filesystem::exists(golden.expected_path)) cases.push_back(golden);  // Not of the longest sound.
  }
  return cases;
}

absl::StatusOr<std::vector<GoldenCase>> SharedGoldenCases() {
  std::vector<GoldenCase> cases;
  const std::string shared = SharedDataDir();
  if (shared.empty()) return cases;
  const std::string dir = shared + "/golden/";
  std::ifstream in(dir + "index.json");
  const nlohmann::json index = nlohmann::json::parse(in, nullptr, /*allow_exceptions=*/false);
  if (!index.contains("configs")) return absl::InvalidArgumentError(dir + "index.json: no configs in it");
  for (const auto& [name, entry] : index["configs"].items()) {
    const Config* const config = FindConfig(name);
    if (config == nullptr) return absl::InvalidArgumentError(absl::StrCat(dir, "index.json: no config ", name));
    for (const auto& [clip, sizes] : entry["cases"].items()) {
      GoldenCase golden = {.config = config, .clip = clip};
      golden.clip_path = absl::StrCat(dir, "audio/", clip, ".npy");
      golden.checkpoint_path = absl::StrCat(dir, "checkpoints/", entry["checkpoint"].get<std::string>());
      golden.expected_path = absl::StrCat(dir, name, "/", clip, ".scene.npy");
      cases.push_back(golden);
      if (!sizes.contains("timestamps")) continue;
      golden.kind = GoldenKind::kTimestamps;
      golden.expected_path = absl::StrCat(dir, name, "/", clip, ".ts.npy");
      cases.push_back(golden);
    }
  }
  return cases;
}

}  // namespace hearwire
