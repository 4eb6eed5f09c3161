// What the published reference answers, as a list.

#ifndef HEARWIRE_TESTS_GOLDEN_GOLDEN_CASES_H_
#define HEARWIRE_TESTS_GOLDEN_GOLDEN_CASES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/configs/config.h"

namespace hearwire {

enum class GoldenKind {
  kScene,       // [size]
  kTimestamps,  // [count, size]
  kLogits,      // Of the scene, [527].
};

// "scene", "timestamps", "logits".
std::string NameOf(GoldenKind kind);

struct GoldenCase {
  const Config* config = nullptr;
  GoldenKind kind = GoldenKind::kScene;
  std::string clip = {};             // "clip_1s3"
  std::string clip_path = {};        // Its samples, an .npy file; empty: the built-in sound of that name.
  std::string checkpoint_path = {};  // Empty: the embedded network.
  std::string expected_path = {};    // An .npy file.
};

// The default network's, committed in the repository.
std::vector<GoldenCase> CommittedGoldenCases();

// The same in a copy of tests/golden.
std::vector<GoldenCase> CommittedGoldenCases(const std::string& goldens);

// Those of the shared data; empty when it is absent. INVALID_ARGUMENT: its index is not what it should be.
absl::StatusOr<std::vector<GoldenCase>> SharedGoldenCases();

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_GOLDEN_GOLDEN_CASES_H_
