#include "server/pipeline/pipeline.h"

#include <atomic>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/batching/batcher.h"
#include "server/concurrency/thread_pool.h"
#include "server/pipeline/admission.h"
#include "server/pipeline/call_errors.h"
#include "server/pipeline/clips_run.h"

namespace hearwire {
namespace {

class PooledPipeline final : public Pipeline {
 public:
  PooledPipeline(const PipelineOptions& options, Metrics* metrics)
      : options_(options),
        metrics_(metrics),
        admission_(options.max_calls, options.max_bytes_in_flight),
        threads_(options.threads) {}

  void Start(CallRequest request) override;
  void BeginShutdown() override { shutting_down_.store(true); }

 private:
  void Refuse(const CallRequest& request, const CallError& error) {
    metrics_->OnRejected(error.reason);
    request.sink->OnEnd(&error, CallReport{}, nullptr);
  }

  const PipelineOptions options_;
  Metrics* const metrics_;
  std::atomic<bool> shutting_down_ = false;
  Admission admission_;
  CallerRegistry callers_;
  PreparationPool threads_;  // Last: its tasks use all of the above.
};

void PooledPipeline::Start(CallRequest request) {
  if (shutting_down_.load()) return Refuse(request, ShuttingDown());
  auto admitted = admission_.Admit(request.request_bytes);
  if (const auto* refusal = std::get_if<Admission::Refusal>(&admitted)) {
    return Refuse(request, NotAdmitted(*refusal, options_.max_calls, options_.max_bytes_in_flight,
                                       *request.lanes.front().network->batcher));
  }
  const PipelineParts parts{options_, metrics_, &threads_, shutting_down_};
  auto caller = callers_.Enter(request.caller);
  std::make_shared<ClipsRun>(parts, std::move(request), std::move(caller), std::move(std::get<0>(admitted)))->Start();
}

absl::Status OutOfRange(const char* option, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("pipeline: ", option, " is ", value, "; it must be between ", least, " and ", most));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Pipeline>> Pipeline::Create(const PipelineOptions& options, Metrics* metrics) {
  constexpr int64_t kMost = int64_t{1} << 50;
  absl::Status status = OutOfRange("threads", options.threads, 1, 1024);
  status.Update(OutOfRange("max_reply_bytes", options.max_reply_bytes, 1024, (int64_t{2} << 30) - 1));
  status.Update(OutOfRange("max_calls", options.max_calls, 1, 1 << 20));
  status.Update(OutOfRange("max_bytes_in_flight", options.max_bytes_in_flight, 1, kMost));
  if (!status.ok()) return status;
  if (options.audio.max_decoded <= absl::ZeroDuration() || options.audio.max_decoded > absl::Hours(24)) {
    return absl::InvalidArgumentError(absl::StrCat("pipeline: audio.max_decoded is ",
                                                   absl::FormatDuration(options.audio.max_decoded),
                                                   "; it must be more than 0 and at most 24 h"));
  }
  return std::make_unique<PooledPipeline>(options, metrics);
}

}  // namespace hearwire
