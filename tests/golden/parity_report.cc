// hearwire-parity: prints how far each backend and precision is from the reference, per config and kind.
//
// Exit code 0: all within the tolerance. 1: an error over it, or a case that failed. 2: nothing to compare, or an
// argument, of which it takes none.

#include <algorithm>
#include <cstdio>
#include <map>
#include <string_view>
#include <tuple>

#include "tests/fixtures/shared_data.h"
#include "tests/golden/backends.h"
#include "tests/golden/parity.h"

namespace hearwire {
namespace {

constexpr char kUsage[] =
    R"(Usage: hearwire-parity

Runs the goldens through each backend of this build and prints how far its embeddings and logits are from the
reference's, a line for each config, kind and backend.

HEARWIRE_SHARED names the folder of the reference's goldens and checkpoints; without it only the default network is
compared.

Exit code: 0, all within the tolerance; 1, an error over it or a case that failed; 2, nothing to compare, or a wrong
command line.
)";

struct Row {
  int clips = 0;
  double largest = 0;
  double least_cosine = 1;
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

  int failures = 0, too_large = 0;
  std::printf("largest error, in units of max(1, largest golden value), and least cosine; accepted errors:");
  for (const BackendFactory& backend : backends) std::printf(" %s %.0e", backend.name.c_str(), backend.tolerance);
  std::printf("\n\n%-42s %-11s %-15s %5s  %-7s  %s\n", "config", "kind", "backend", "clips", "error", "cosine");
  for (const BackendFactory& backend : backends) {
    SerialPipeline pipeline(backend.make);
    std::map<std::tuple<const Config*, GoldenKind>, Row> rows;  // Configs lie in memory in the order of the table.
    for (const GoldenCase& golden : cases) {
      const absl::StatusOr<Parity> parity = MeasureParity(pipeline, golden);
      if (!parity.ok()) {
        ++failures;
        std::fprintf(stderr, "%s %s %s: %s\n", std::string(golden.config->name).c_str(), golden.clip.c_str(),
                     NameOf(golden.kind).c_str(), parity.status().ToString().c_str());
        continue;
      }
      Row& row = rows[{golden.config, golden.kind}];
      ++row.clips;
      row.largest = std::max(row.largest, parity->error);
      row.least_cosine = std::min(row.least_cosine, parity->cosine);
    }
    Row all;
    for (const auto& [key, row] : rows) {
      const auto& [config, kind] = key;
      const bool accepted = row.largest <= backend.tolerance;
      std::printf("%-42s %-11s %-15s %5d  %.1e  %.6f%s\n", std::string(config->name).c_str(), NameOf(kind).c_str(),
                  backend.name.c_str(), row.clips, row.largest, row.least_cosine, accepted ? "" : "  TOO LARGE");
      if (!accepted) ++too_large;
      all.largest = std::max(all.largest, row.largest);
      all.least_cosine = std::min(all.least_cosine, row.least_cosine);
    }
    std::printf("\n%s: largest error of all %.1e, least cosine %.6f\n\n", backend.name.c_str(), all.largest,
                all.least_cosine);
  }
  std::printf("cases that failed: %d\n", failures);
  if (shared->empty()) {
    std::printf(
        "only the default network was compared: set HEARWIRE_SHARED to the folder of the reference's goldens\n");
  }
  return too_large > 0 || failures > 0 ? 1 : 0;
}

}  // namespace
}  // namespace hearwire

int main(int argc, char** argv) {
  if (argc == 1) return hearwire::Report();
  const std::string_view argument = argv[1];
  if (argc == 2 && (argument == "--help" || argument == "-h")) {
    std::fputs(hearwire::kUsage, stdout);
    return 0;
  }
  std::fprintf(stderr,
               "hearwire-parity: unknown argument %s; it takes none (hearwire-parity --help says what it does)\n",
               argv[argument == "--help" || argument == "-h" ? 2 : 1]);
  return 2;
}
