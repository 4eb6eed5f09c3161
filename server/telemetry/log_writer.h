// The log's lines on their way to standard error: nobody who logs waits for whoever reads them.

#ifndef HEARWIRE_SERVER_TELEMETRY_LOG_WRITER_H_
#define HEARWIRE_SERVER_TELEMETRY_LOG_WRITER_H_

#include <cstdint>
#include <deque>
#include <string>

#include "server/concurrency/mutex.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

// Writes to a file descriptor on a thread of its own, which is never joined: a LogWriter is never destroyed.
// Thread-safe.
class LogWriter {
 public:
  // What may wait to be written; lines beyond are dropped and counted.
  static constexpr size_t kMaxWaitingBytes = 4 << 20;

  explicit LogWriter(int fd);
  ~LogWriter() = delete;

  // With its line break. Does not wait for the file. Without memory for it, it is dropped too.
  void Write(std::string line);

  // Lines dropped since the last call, once there is room again; until then 0.
  int64_t TakeDropped();

  bool Flush(SteadyTime deadline);

 private:
  void Run();

  const int fd_;
  Mutex mu_;
  CondVar changed_;
  std::deque<std::string> lines_ ABSL_GUARDED_BY(mu_);
  size_t waiting_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // Of the line that is being written too.
  int64_t dropped_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_TELEMETRY_LOG_WRITER_H_
