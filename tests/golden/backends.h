// The backends whose numbers are compared with the reference's.

#ifndef HEARWIRE_TESTS_GOLDEN_BACKENDS_H_
#define HEARWIRE_TESTS_GOLDEN_BACKENDS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/embedder.h"

namespace hearwire {

struct BackendFactory {
  std::string name;
  double tolerance;  // The largest error that is accepted.
  std::function<absl::StatusOr<std::unique_ptr<Backend>>()> make;
};

// Those that this build has and this machine can run.
std::vector<BackendFactory> BackendsUnderTest();

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_GOLDEN_BACKENDS_H_
