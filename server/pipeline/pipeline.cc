#include "server/pipeline/pipeline.h"

#include <atomic>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/batching/batcher.h"
#include "server/concurrency/border.h"
#include "server/pipeline/admission.h"
#include "server/pipeline/call_errors.h"
#include "server/pipeline/clips_run.h"
#include "server/pipeline/stream_run.h"

namespace hearwire {
namespace {

class PooledPipeline final : public Pipeline {
 public:
  PooledPipeline(const PipelineOptions& options, Metrics* metrics)
      : options_(options),
        metrics_(metrics),
        admission_(options.max_calls, options.max_bytes_in_flight, options.has_room,
                   [metrics](int calls, int64_t bytes) { metrics->OnHeld(calls, bytes); }),
        threads_(options.threads) {}

  void Start(CallRequest request) override;
  std::shared_ptr<StreamCall> StartStream(StreamRequest request) override;
  void BeginShutdown() override { shutting_down_.store(true); }

 private:
  // Lets the call in, or refuses it. Null: that.
  std::unique_ptr<Admission::Share> Admit(const CallRequest& request, ReplySink* sink);

  // Ends a call that has not begun.
  void Refuse(const CallError& error, ReplySink* sink);

  PipelineParts parts() { return {options_, metrics_, &threads_, shutting_down_}; }

  const PipelineOptions options_;
  Metrics* const metrics_;
  std::atomic<bool> shutting_down_ = false;
  Admission admission_;
  CallerRegistry callers_;
  PreparationPool threads_;  // Last: its tasks use all of the above.
};

std::unique_ptr<Admission::Share> PooledPipeline::Admit(const CallRequest& request, ReplySink* sink) {
  std::optional<CallError> refused;
  if (shutting_down_.load()) {
    refused = ShuttingDown();
  } else {
    auto admitted = admission_.Admit(request.request_bytes);
    if (auto* share = std::get_if<std::unique_ptr<Admission::Share>>(&admitted)) return std::move(*share);
    refused = NotAdmitted(std::get<Admission::Refusal>(admitted), options_.max_calls, options_.max_bytes_in_flight,
                          *request.lanes.front().network->batcher);
  }
  Refuse(*refused, sink);
  return nullptr;
}

void PooledPipeline::Refuse(const CallError& error, ReplySink* sink) {
  if (reason::IsRefusal(error.reason)) metrics_->OnRejected(error.reason);
  sink->OnEnd(&error, CallReport{}, nullptr);
}

void PooledPipeline::Start(CallRequest request) {
  std::unique_ptr<Admission::Share> share = Admit(request, request.sink);
  if (share == nullptr) return;
  ReplySink* const sink = request.sink;
  std::shared_ptr<ClipsRun> run;
  const absl::Status made = Contain([&] {
    auto caller = callers_.Enter(request.caller, request.caller_weight);
    run = std::make_shared<ClipsRun>(parts(), std::move(request), std::move(caller), std::move(share));
  });
  if (!made.ok()) return Refuse(FromContained(made), sink);
  run->Start();
}

std::shared_ptr<StreamCall> PooledPipeline::StartStream(StreamRequest request) {
  auto feed = StreamFeed::Create(request, options_.audio);
  if (const CallError* error = std::get_if<CallError>(&feed)) {
    request.sink->OnEnd(error, CallReport{}, nullptr);
    return nullptr;
  }
  std::unique_ptr<Admission::Share> share = Admit(request.call, request.sink.get());
  if (share == nullptr) return nullptr;
  const std::shared_ptr<StreamSink> sink = request.sink;
  std::shared_ptr<StreamRun> run;
  const absl::Status made = Contain([&] {
    auto caller = callers_.Enter(request.call.caller, request.call.caller_weight);
    run = std::make_shared<StreamRun>(parts(), std::move(request), std::move(caller), std::move(share),
                                      std::move(std::get<0>(feed)));
  });
  if (!made.ok()) {
    Refuse(FromContained(made), sink.get());
    return nullptr;
  }
  return run->Start() ? run : nullptr;
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
