#include "server/telemetry/access_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/telemetry/log.h"

namespace hearwire {
namespace {

constexpr size_t kMostOfAField = 200;

int OpenFile(const std::string& path) { return open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600); }

absl::Status CannotOpen(const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat("--access-log ", path, " cannot be opened: ", std::strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<AccessLog>> AccessLog::Open(const std::string& path) {
  const int fd = path == "-" ? dup(STDOUT_FILENO) : OpenFile(path);
  if (fd < 0) return CannotOpen(path);
  return std::unique_ptr<AccessLog>(new AccessLog(path, fd));
}

absl::Status AccessLog::ReopenIfMoved() {
  struct ::stat named, open_one;
  if (path_ == "-" || fstat(fd_, &open_one) != 0) return absl::OkStatus();
  if (stat(path_.c_str(), &named) == 0 && named.st_ino == open_one.st_ino && named.st_dev == open_one.st_dev) {
    return absl::OkStatus();
  }
  const int fresh = OpenFile(path_);
  if (fresh < 0) return CannotOpen(path_);
  dup3(fresh, fd_,
       O_CLOEXEC);  // At once, between two lines or within one, of which the rest then goes to the new file.
  close(fresh);
  return absl::OkStatus();
}

std::string AccessLine(const CallRecord& call, absl::Time now, int64_t dropped) {
  const auto cut = [](std::string_view text) { return text.substr(0, kMostOfAField); };
  std::vector<LogField> fields = {{"caller", cut(call.caller)},
                                  {"peer", cut(call.peer)},
                                  {"method", cut(call.method)},
                                  {"config", cut(call.config)},
                                  {"code", absl::StatusCodeToString(call.status.code())},
                                  {"reason", call.reason},
                                  {"request_id", cut(call.request_id)},
                                  {"clips", call.clips},
                                  {"request_bytes", call.request_bytes},
                                  {"reply_bytes", call.reply_bytes},
                                  {"audio_seconds", call.audio},
                                  {"total_seconds", call.total},
                                  {"decode_seconds", call.decode},
                                  {"queue_seconds", call.queued},
                                  {"inference_seconds", call.inference}};
  if (!call.trace_id.empty()) {
    fields.emplace_back("trace_id", call.trace_id);
    fields.emplace_back("span_id", call.span_id);
    fields.emplace_back("parent_span_id", call.parent_span_id);
    fields.emplace_back("trace_flags", call.trace_flags);
  }
  if (dropped > 0) fields.emplace_back("dropped_lines", dropped);
  return absl::StrCat("{\"time\":\"", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", now, absl::UTCTimeZone()), "\",",
                      FormatLogLine(LogFormat::kJson, "call", fields), "}");
}

void AccessLog::Write(const CallRecord& call, absl::Time now) {
  writer_->Write(AccessLine(call, now, writer_->TakeDropped()) + "\n");
}

}  // namespace hearwire
