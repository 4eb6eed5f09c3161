// The server put together: networks, engines, pipeline, services, metrics.

#ifndef HEARWIRE_SERVER_SERVER_H_
#define HEARWIRE_SERVER_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/embedder.h"
#include "server/concurrency/steady_time.h"
#include "server/engines/engines.h"
#include "server/machine.h"
#include "server/options.h"
#include "server/telemetry/exposer.h"

namespace hearwire {

// What a server needs from outside; tests bring their own.
struct ServerSeams {
  // As MakeBackends: in the order of preference, the last must run whatever the others do not.
  std::function<absl::StatusOr<std::vector<std::unique_ptr<Backend>>>(const ServerOptions&)> make_backends;
  // As NetworkCatalogOptions::make_reference.
  std::function<absl::StatusOr<std::unique_ptr<Backend>>()> make_reference;
  // Before it serves, for each engine: what was found, or why it must not serve.
  SelfTest self_test;
  Machine machine;
  // Called once, on a worker's thread, when the device is lost: health says NOT_SERVING already. Must not block.
  std::function<void()> on_device_lost;
  // Likewise when a batch hangs, on a thread of its own.
  std::function<void()> on_batch_hung;
};

// Thread-safe.
class Server {
 public:
  // Loads the networks, starts the workers, listens, tests itself, and serves. Until the self-test has passed health is
  // NOT_SERVING and calls are answered UNAVAILABLE. Blocks for all of it; logs the options in force and what was
  // loaded. On failure the message says what is wrong, in one line, and gRPC listens no more. `exposer`, which serves
  // the metrics, must outlive the server.
  static absl::StatusOr<std::unique_ptr<Server>> Create(ServerOptions options, Exposer* exposer,
                                                        const ServerSeams& seams);

  // Stops at once: calls in flight fail with UNAVAILABLE.
  virtual ~Server() = default;

  // "127.0.0.1:8001", with the port that was taken.
  virtual std::string grpc_address() const = 0;
  virtual const ServerOptions& options() const = 0;  // In force.

  // Calls and streams that were taken and whose answers have not been sent.
  virtual int64_t calls_in_flight() const = 0;

  // Reads again what files give it, as server/reload.h has it: soon, on a thread of its own. Log and metrics tell what
  // has come of it. Not once it stops. Does not block. done: called once with the result, on that thread, or on this
  // one when the reload is refused at once; must not block.
  virtual void Reload(std::function<void(const absl::Status&)> done) = 0;

  // Health says NOT_SERVING from now on; calls are still taken. Does not block.
  virtual void EnterLameDuck() = 0;

  // Listens no more: whoever connects from now on is refused by the system, and another process may take the port. New
  // calls on old connections are answered UNAVAILABLE, SHUTTING_DOWN. Waits until those begun before are answered and
  // no request is arriving; at `deadline` calls that are left fail with UNAVAILABLE. Returns true when all are
  // answered, false when some did not end within a second of that. Once.
  //
  // The process should then end without tidying up, which closes the connections. gRPC's own Shutdown would answer
  // CANCELLED to every call that it has not handed to a handler yet.
  virtual bool Drain(SteadyTime deadline) = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_SERVER_H_
