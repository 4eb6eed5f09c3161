// Looks after open streams: clients that are idle, streams that last too long.

#ifndef HEARWIRE_SERVER_RPC_STREAM_WATCH_H_
#define HEARWIRE_SERVER_RPC_STREAM_WATCH_H_

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "server/concurrency/mutex.h"
#include "server/pipeline/call_error.h"

namespace hearwire {

class StreamReactor;

// Thread-safe. A thread of its own, which sleeps while there is no stream.
class StreamWatch {
 public:
  // period: how often each stream is looked at.
  explicit StreamWatch(absl::Duration period);
  ~StreamWatch();
  StreamWatch(const StreamWatch&) = delete;
  StreamWatch& operator=(const StreamWatch&) = delete;

  // Held weakly. Before StreamReactor::Begin.
  void Add(const std::shared_ptr<StreamReactor>& stream);
  // Those that are open now, and those that are added later, as StreamReactor::Stop.
  void StopAll(const CallError& error);
  // Those that are open now, as StreamReactor::Cancel.
  void CancelAll();

 private:
  using Streams = std::vector<std::shared_ptr<StreamReactor>>;

  void Run();
  // Forgets those that have ended.
  Streams TakeOpen() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const absl::Duration period_;
  Mutex mu_;
  CondVar wake_;
  std::list<std::weak_ptr<StreamReactor>> streams_ ABSL_GUARDED_BY(mu_);
  std::optional<CallError> stopped_ ABSL_GUARDED_BY(mu_);  // With this.
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_STREAM_WATCH_H_
