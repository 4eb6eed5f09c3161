// Which backend runs the networks.

#ifndef HEARWIRE_SERVER_BACKEND_H_
#define HEARWIRE_SERVER_BACKEND_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/embedder.h"
#include "server/options.h"

namespace hearwire {

struct BackendPlan {
  bool torch = false;          // Else native.
  std::string device = "cpu";  // Or "cuda".
  // Chosen here, not by the operator: when it cannot be had, the native backend on the CPU does as well.
  bool may_fall_back = false;
};

// What the options ask for. cuda: whether a CUDA driver and a device are there, asked only when it matters.
// INVALID_ARGUMENT: options that do not go together.
absl::StatusOr<BackendPlan> PlanBackend(const ServerOptions& options, bool cuda);

// Loads it. Not OK: what was asked for cannot be had, and what would help.
absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(const ServerOptions& options);

// The plainest there is, for others to be checked against: slow.
absl::StatusOr<std::unique_ptr<Backend>> MakeReferenceBackend();

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BACKEND_H_
