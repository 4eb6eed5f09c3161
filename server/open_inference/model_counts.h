// What ModelStatistics tells of one model.

#ifndef HEARWIRE_SERVER_OPEN_INFERENCE_MODEL_COUNTS_H_
#define HEARWIRE_SERVER_OPEN_INFERENCE_MODEL_COUNTS_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/rpc/call_account.h"

namespace hearwire {

// Thread-safe. Each number is right; together they may be of moments a call apart.
class ModelCounts final : public CallTally {
 public:
  void OnCall(bool succeeded, absl::Duration total, int clips, const CallReport& report) override {
    if (!succeeded) {
      Add(total, &fail_ns);
      ++failed;
      return;
    }
    Add(total, &success_ns);
    Add(report.times.queued, &queue_ns);
    Add(report.times.decode, &decode_ns);
    Add(report.times.inference, &inference_ns);
    clips_answered += static_cast<uint64_t>(clips);
    last_ms = static_cast<uint64_t>(absl::ToUnixMillis(absl::Now()));  // The protocol wants the wall's clock.
    ++succeeded_calls;
  }

  std::atomic<uint64_t> succeeded_calls = 0, failed = 0, clips_answered = 0;
  std::atomic<uint64_t> success_ns = 0, fail_ns = 0, queue_ns = 0, decode_ns = 0, inference_ns = 0;
  std::atomic<uint64_t> last_ms = 0;  // Since 1970.

 private:
  static void Add(absl::Duration duration, std::atomic<uint64_t>* ns) {
    *ns += static_cast<uint64_t>(std::max<int64_t>(absl::ToInt64Nanoseconds(duration), 0));
  }
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_OPEN_INFERENCE_MODEL_COUNTS_H_
