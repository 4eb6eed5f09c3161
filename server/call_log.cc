#include "server/call_log.h"

#include "server/telemetry/log.h"

namespace hearwire {

void LogCall(const CallRecord& call, absl::Duration slow_call) {
  constexpr size_t kMaxBytes = 200;
  LogLevel level = LogLevel::kDebug;
  std::string_view message = "call";
  if (call.code == absl::StatusCode::kInternal || call.code == absl::StatusCode::kUnknown ||
      call.code == absl::StatusCode::kDataLoss) {
    level = LogLevel::kError;
    message = "failed call";
  } else if (slow_call > absl::ZeroDuration() && call.total >= slow_call) {
    level = LogLevel::kInfo;
    message = "slow call";
  }
  if (!LogEnabled(level)) return;
  const auto cut = [](std::string_view text) { return text.substr(0, kMaxBytes); };
  Log(level, message,
      {{"request_id", cut(call.request_id)},
       {"method", cut(call.method)},
       {"config", cut(call.config)},
       {"code", absl::StatusCodeToString(call.code)},
       {"reason", call.reason},
       {"error", cut(call.message)},
       {"peer", cut(call.peer)},
       {"clips", call.clips},
       {"audio_seconds", call.audio},
       {"total_seconds", call.total},
       {"decode_seconds", call.times.decode},
       {"queue_seconds", call.times.queued},
       {"inference_seconds", call.times.inference},
       {"request_bytes", call.request_bytes},
       {"reply_bytes", call.reply_bytes}});
}

}  // namespace hearwire
