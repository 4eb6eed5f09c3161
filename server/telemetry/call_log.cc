#include "server/telemetry/call_log.h"

#include <string>

#include "server/telemetry/log.h"

namespace hearwire {

void LogCall(const CallRecord& call, absl::Duration slow_call) {
  constexpr size_t kMaxBytes = 200;
  LogLevel level = LogLevel::kDebug;
  std::string_view message = "call";
  const absl::StatusCode code = call.status.code();
  if (code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
      code == absl::StatusCode::kDataLoss) {
    level = LogLevel::kError;
    message = "failed call";
  } else if (slow_call > absl::ZeroDuration() && call.total >= slow_call && !call.is_stream) {
    level = LogLevel::kInfo;
    message = "slow call";
  }
  if (!LogEnabled(level)) return;
  const auto cut = [](std::string_view text) { return text.substr(0, kMaxBytes); };
  const absl::string_view error = call.status.message();
  Log(level, message,
      {{"request_id", cut(call.request_id)},
       {"method", cut(call.method)},
       {"config", cut(call.config)},
       {"code", absl::StatusCodeToString(code)},
       {"reason", call.reason},
       {"error", cut(std::string_view(error.data(), error.size()))},
       {"peer", cut(call.peer)},
       {"caller", cut(call.caller)},
       {"trace_id", call.trace_id},
       {"span_id", call.span_id},
       {"clips", call.clips},
       {"audio_seconds", call.audio},
       {"total_seconds", call.total},
       {"decode_seconds", call.decode},
       {"queue_seconds", call.queued},
       {"inference_seconds", call.inference}});
}

}  // namespace hearwire
