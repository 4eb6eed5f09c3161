#include "load/recorder.h"

#include <algorithm>
#include <utility>

namespace hearwire::load {
namespace {

// More make a plot restless.
constexpr int kMostIntervals = 40;

absl::Duration IntervalLength(absl::Duration measured) {
  for (const int milliseconds : {100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000, 300000}) {
    if (measured / kMostIntervals <= absl::Milliseconds(milliseconds)) return absl::Milliseconds(milliseconds);
  }
  return absl::Hours(1);
}

}  // namespace

Recorder::Recorder(absl::Duration warm_up, absl::Duration end) : warm_up_(warm_up), end_(end) {
  measurement_.interval = IntervalLength(end - warm_up);
}

Interval& Recorder::IntervalAt(absl::Duration time) {
  const auto index = static_cast<size_t>((time - warm_up_) / measurement_.interval);
  if (index >= measurement_.intervals.size()) measurement_.intervals.resize(index + 1);
  return measurement_.intervals[index];
}

void Recorder::OnSent(const PreparedCall& call, absl::Duration due, absl::Duration start_delay) {
  ++measurement_.totals.sent;
  ++measurement_.totals.by_label[{call.method, call.config}].sent;
  if (!IsMeasured(due)) return;
  measurement_.bytes_sent += call.bytes;
  measurement_.start_delay.Record(start_delay);
}

void Recorder::Count(const Ended& ended, absl::Duration latency) {
  ++measurement_.calls;
  Interval& interval = IntervalAt(ended.due);
  ++interval.due;
  if (ended.chosen_to_cancel) {
    ++measurement_.chosen_to_cancel;
    return;
  }
  measurement_.latency.Record(latency);
  interval.latency.Record(latency);
}

void Recorder::OnFailed(const Ended& ended, absl::StatusCode code, const std::string& message) {
  if (!IsMeasured(ended.due)) return;
  Count(ended, ended.ended - ended.due);
  if (ended.chosen_to_cancel && code == absl::StatusCode::kCancelled) return;
  ++IntervalAt(ended.due).failed;
  ++measurement_.failed[code];
  measurement_.messages.try_emplace(code, message);
}

void Recorder::OnEnded(const Ended& ended, const Outcome& outcome) {
  CallCounts& counts = measurement_.totals.by_label[{ended.call->method, ended.call->config}];
  if (outcome.answered) {
    ++measurement_.totals.answered;
    ++counts.answered[outcome.code];
  } else {
    ++measurement_.totals.failed_locally;
    ++(outcome.code == absl::StatusCode::kResourceExhausted ? counts.not_taken : counts.unknown);
  }
  if (outcome.code != absl::StatusCode::kOk) return OnFailed(ended, outcome.code, outcome.message);
  if (IsMeasured(ended.ended)) {
    ++measurement_.completed;
    measurement_.completed_audio_seconds += ended.call->audio_seconds;
    ++IntervalAt(ended.ended).completed;
  }
  if (!IsMeasured(ended.due)) return;
  Count(ended, ended.ended - ended.due);
  ++measurement_.succeeded;
  measurement_.bytes_received += outcome.reply_bytes;
  if (!ended.chosen_to_cancel) measurement_.succeeded_latency.Record(ended.ended - ended.due);
}

void Recorder::OnExpiredUnsent(const Ended& ended) {
  ++measurement_.expired_unsent;
  OnFailed(ended, absl::StatusCode::kDeadlineExceeded,
           "the deadline passed before the call could be sent: all calls in flight that --concurrency allows were "
           "waiting");
}

void Recorder::EndEarly(absl::Duration now) { end_ = std::min(end_, now); }

Measurement Recorder::Finish() {
  measurement_.measured = std::max(absl::ZeroDuration(), end_ - warm_up_);
  return std::move(measurement_);
}

}  // namespace hearwire::load
