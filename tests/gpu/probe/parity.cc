#include "tests/golden/parity.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/golden/golden_cases.h"
#include "tests/gpu/probe/commands.h"

namespace hearwire {
namespace {

bool IsPresent(const GoldenCase& golden) {
  for (const std::string& path : {golden.checkpoint_path, golden.clip_path, golden.expected_path}) {
    if (!path.empty() && !std::filesystem::exists(path)) return false;
  }
  return true;
}

// What was seen of one checkpoint.
struct Sum {
  int cases = 0;
  int bad = 0;
  double largest = 0;
  std::string worst = {};
};

}  // namespace

absl::Status MeasureParity(const Setting& setting, double tolerance, const std::string& name_part,
                           const std::string& committed) {
  std::vector<GoldenCase> cases = committed.empty() ? CommittedGoldenCases() : CommittedGoldenCases(committed);
  const absl::StatusOr<std::vector<GoldenCase>> shared = SharedGoldenCases();
  if (!shared.ok()) return shared.status();
  cases.insert(cases.end(), shared->begin(), shared->end());

  const auto start = std::chrono::steady_clock::now();
  const auto since = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  double first_seconds = 0;  // Until the first row: what the start takes.
  std::map<std::string, Sum> sums;
  int absent = 0;
  SerialPipeline pipeline([&] { return MakeBackend(setting); });
  for (const GoldenCase& golden : cases) {
    const std::string name(golden.config->name);
    if (!absl::StrContains(name, name_part)) continue;
    if (!IsPresent(golden)) {
      ++absent;
      continue;
    }
    Sum& sum = sums[std::filesystem::path(golden.checkpoint_path).filename().string()];
    ++sum.cases;
    const std::string place = absl::StrCat(name, "/", golden.clip, "/", NameOf(golden.kind));
    const absl::StatusOr<Parity> parity = MeasureParity(pipeline, golden);
    if (first_seconds == 0) first_seconds = since();
    if (!parity.ok()) {
      std::printf("  %s: %s\n", place.c_str(), parity.status().ToString().c_str());
      ++sum.bad;
      continue;
    }
    if (parity->error > tolerance) ++sum.bad;
    if (parity->error >= sum.largest) {
      sum.largest = parity->error;
      sum.worst = place;
    }
  }
  Sum all;
  for (const auto& [checkpoint, sum] : sums) {
    std::printf("  %-24s %3d cases, %d bad, largest error %.2e (%s)\n",
                checkpoint.empty() ? "embedded" : checkpoint.c_str(), sum.cases, sum.bad, sum.largest,
                sum.worst.c_str());
    all.cases += sum.cases;
    all.bad += sum.bad;
    all.largest = std::max(all.largest, sum.largest);
  }
  std::printf("RESULT parity %s cases=%d absent=%d bad=%d largest=%.2e tolerance=%.0e first_row_s=%.1f seconds=%.1f\n",
              ToText(setting).c_str(), all.cases, absent, all.bad, all.largest, tolerance, first_seconds, since());
  if (all.cases == 0) return absl::NotFoundError("no goldens to compare with: set HEARWIRE_SHARED to their folder");
  if (all.bad > 0) return absl::InternalError(absl::StrCat(all.bad, " of ", all.cases, " goldens are not met"));
  return absl::OkStatus();
}

}  // namespace hearwire
