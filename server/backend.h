// Which backends run the networks.

#ifndef HEARWIRE_SERVER_BACKEND_H_
#define HEARWIRE_SERVER_BACKEND_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/embedder.h"
#include "server/options.h"

namespace hearwire {

struct BackendPlan {
  BackendChoice backend = BackendChoice::kNative;  // Never kAuto.
  std::string device = "cpu";                      // Or "cuda".
  Precision precision = Precision::kFloat32;       // Never kAuto. The same in all plans: a server has one space.
};

// What the options ask for, as Engines take them: the last is what must be had; one before it is a GPU that was found
// here, not asked for, so that the server starts without it too. INVALID_ARGUMENT: options that do not go together.
// cuda: whether a CUDA driver and a device are there, asked only when it matters. kernels: whether this build has the
// backend cuda's kernels. bfloat16: whether the native backend has it on this processor.
absl::StatusOr<std::vector<BackendPlan>> PlanBackends(const ServerOptions& options, bool cuda, bool kernels,
                                                      bool bfloat16);

using LoadBackend = std::function<absl::StatusOr<std::unique_ptr<Backend>>(const BackendPlan&)>;

// Loads them in their order. Of those before the last, one that cannot be had is left out, with a warning that says
// why.
absl::StatusOr<std::vector<std::unique_ptr<Backend>>> LoadBackends(const std::vector<BackendPlan>& plans,
                                                                   const LoadBackend& load);

// Plans and loads. Not OK: what was asked for cannot be had, and what would help.
absl::StatusOr<std::vector<std::unique_ptr<Backend>>> MakeBackends(const ServerOptions& options);

// The plainest there is, for others to be checked against: slow.
absl::StatusOr<std::unique_ptr<Backend>> MakeReferenceBackend();

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BACKEND_H_
