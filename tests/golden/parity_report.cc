// hearwire-parity: prints how far each backend is from the reference, per config and kind.
//
// Exit code 0: all within the tolerance. 1: an error over it, or a case that failed. 2: nothing to compare.

#include <algorithm>
#include <cstdio>
#include <map>
#include <tuple>

#include "tests/fixtures/shared_data.h"
#include "tests/golden/backends.h"
#include "tests/golden/parity.h"

namespace hearwire {
namespace {

struct Row {
  int clips = 0;
  double largest = 0;
};

int Report() {
  const std::vector<BackendFactory> backends = BackendsUnderTest();
  if (backends.empty()) {
    std::fprintf(stderr, "this build has no backend: configure with HEARWIRE_WITH_TORCH=ON\n");
    return 2;
  }
  std::vector<GoldenCase> cases = CommittedGoldenCases();
  const absl::StatusOr<std::vector<GoldenCase>> shared = SharedGoldenCases();
  if (!shared.ok()) {
    std::fprintf(stderr, "%s\n", std::string(shared.status().message()).c_str());
    return 2;
  }
  cases.insert(cases.end(), shared->begin(), shared->end());

  double worst = 0;
  int failures = 0;
  std::printf("largest error, in units of max(1, largest golden value); accepted: %.0e\n\n", kParityTolerance);
  std::printf("%-42s %-11s %-11s %5s  %s\n", "config", "kind", "backend", "clips", "error");
  for (const BackendFactory& backend : backends) {
    SerialPipeline pipeline(backend.make);
    std::map<std::tuple<const Config*, GoldenKind>, Row> rows;  // Configs lie in memory in the order of the table.
    for (const GoldenCase& golden : cases) {
      const absl::StatusOr<double> error = ParityError(pipeline, golden);
      if (!error.ok()) {
        ++failures;
        std::fprintf(stderr, "%s %s %s: %s\n", std::string(golden.config->name).c_str(), golden.clip.c_str(),
                     NameOf(golden.kind).c_str(), error.status().ToString().c_str());
        continue;
      }
      Row& row = rows[{golden.config, golden.kind}];
      ++row.clips;
      row.largest = std::max(row.largest, *error);
    }
    for (const auto& [key, row] : rows) {
      const auto& [config, kind] = key;
      std::printf("%-42s %-11s %-11s %5d  %.1e%s\n", std::string(config->name).c_str(), NameOf(kind).c_str(),
                  backend.name.c_str(), row.clips, row.largest, row.largest > kParityTolerance ? "  TOO LARGE" : "");
      worst = std::max(worst, row.largest);
    }
  }
  std::printf("\nlargest of all: %.1e; cases that failed: %d\n", worst, failures);
  if (shared->empty()) {
    std::printf(
        "only the default network was compared: set HEARWIRE_SHARED to the folder of the reference's goldens\n");
  }
  return worst > kParityTolerance || failures > 0 ? 1 : 0;
}

}  // namespace
}  // namespace hearwire

int main() { return hearwire::Report(); }
