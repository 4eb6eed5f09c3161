// The access log: a file with a line for each call, a JSON object.
//
// Lines of one field's name have one type, and times are UTC, so that a collector can read them as they are
// (docs/operations.md has a configuration).

#ifndef HEARWIRE_SERVER_TELEMETRY_ACCESS_LOG_H_
#define HEARWIRE_SERVER_TELEMETRY_ACCESS_LOG_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/telemetry/call_log.h"
#include "server/telemetry/log_writer.h"

namespace hearwire {

// Thread-safe. Nobody who writes waits for the file: what cannot be written in time is dropped, and the lines that come
// behind say how many were.
class AccessLog {
 public:
  // Appends to the file, which is made with permissions for this user alone where there is none; "-": standard output.
  // FAILED_PRECONDITION: it cannot be opened.
  static absl::StatusOr<std::unique_ptr<AccessLog>> Open(const std::string& path);

  void Write(const CallRecord& call, absl::Time now);

  // Where the file has been moved or removed, as to rotate it: goes on with a new one of its name. Not OK: that could
  // not be made; it goes on with the old one.
  absl::Status ReopenIfMoved();

  bool Flush(SteadyTime deadline) { return writer_->Flush(deadline); }

 private:
  AccessLog(std::string path, int fd) : path_(std::move(path)), fd_(fd), writer_(new LogWriter(fd)) {}

  const std::string path_;
  const int fd_;
  LogWriter* const writer_;  // Never destroyed.
};

// The line without its break: everything of the record but the error's text, which may hold what a caller sent.
std::string AccessLine(const CallRecord& call, absl::Time now, int64_t dropped);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_TELEMETRY_ACCESS_LOG_H_
