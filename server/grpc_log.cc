#include "server/grpc_log.h"

#include <google/protobuf/stubs/common.h>
#include <grpc/support/log.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "server/concurrency/mutex.h"
#include "server/telemetry/log.h"

#if GOOGLE_PROTOBUF_VERSION < 4022000
#include <google/protobuf/stubs/logging.h>
#endif

namespace hearwire {
namespace {

constexpr size_t kMaxBytes = 300;

struct SharedBudget {
  Mutex mu;
  LogBudget budget ABSL_GUARDED_BY(mu);
};

void LogFromGrpc(gpr_log_func_args* args) {
  if (args->severity != GPR_LOG_SEVERITY_ERROR) {
    if (LogEnabled(LogLevel::kDebug)) Log(LogLevel::kDebug, "gRPC", {{"text", ToLoggedText(args->message)}});
    return;
  }
  static auto* const shared = new SharedBudget;
  bool may_log;
  int64_t left_out = 0;
  {
    MutexLock lock(&shared->mu);
    may_log = shared->budget.Take(SteadyTime::Now());
    if (may_log) left_out = shared->budget.TakeLeftOut();
  }
  const LogLevel level = may_log ? LogLevel::kError : LogLevel::kDebug;
  if (!LogEnabled(level)) return;
  if (left_out > 0) Log(level, "gRPC wrote more than is logged", {{"left_out", left_out}});
  Log(level, "gRPC", {{"text", ToLoggedText(args->message)}});
}

#if GOOGLE_PROTOBUF_VERSION < 4022000  // Later ones write by Abseil's log.
void LogFromProtobuf(google::protobuf::LogLevel /*level*/, const char* /*file*/, int /*line*/,
                     const std::string& message) {
  if (LogEnabled(LogLevel::kDebug)) Log(LogLevel::kDebug, "protobuf", {{"text", ToLoggedText(message)}});
}
#endif

}  // namespace

void TakeGrpcLog() {
  gpr_set_log_function(LogFromGrpc);
#if GOOGLE_PROTOBUF_VERSION < 4022000
  google::protobuf::SetLogHandler(LogFromProtobuf);
#endif
}

std::string ToLoggedText(std::string_view message) {
  const std::string lower = absl::AsciiStrToLower(absl::string_view(message.data(), message.size()));
  size_t end = std::min(message.size(), kMaxBytes);
  // "DATA:" begins what traces show of a connection's bytes.
  for (const std::string_view secret : {"authorization", "bearer", "-----begin", "cookie", "token", " data:"}) {
    end = std::min(end, lower.find(secret));
  }
  std::string text(message.substr(0, end));
  if (end < message.size()) text.append("…");
  return text;
}

bool LogBudget::Take(SteadyTime now) {
  if (now >= period_end_) {
    period_end_ = now + kPeriod;
    left_ = kMessages;
  }
  if (left_ == 0) {
    ++left_out_;
    return false;
  }
  --left_;
  return true;
}

int64_t LogBudget::TakeLeftOut() { return std::exchange(left_out_, 0); }

}  // namespace hearwire
