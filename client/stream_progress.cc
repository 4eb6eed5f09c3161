#include "client/stream_progress.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hearwire::client {
namespace {

// Audio that the server's resampler needs before what it gives is right: 1.1 s, and some room.
constexpr double kResamplerMs = 1200;
// The longest window of a row is 1280 ms. Rows of a server that had longer ones would be found missing.
constexpr double kRowReachMs = 800 + kResamplerMs;
constexpr double kRowStepMs = 50;
constexpr double kSceneReachMs = 5000 + kResamplerMs;
constexpr double kSceneStepMs = 2500;
// Times are multiples of the step, but for rounding.
constexpr double kToleranceMs = 0.01;

}  // namespace

absl::StatusOr<int64_t> AnswerTimes::CountSeen(absl::Span<const double> times_ms) {
  int64_t seen = 0;
  for (const double time : times_ms) {
    // So written that a time that is no number is refused.
    if (!std::isfinite(time) || (next_of_call_ && !(std::abs(time - *next_of_call_) <= kToleranceMs))) {
      return absl::InternalError(absl::StrCat("the stream contradicts itself: ", name_, " at ", time,
                                              " ms where the one at ", next_of_call_.value_or(0), " ms is next"));
    }
    next_of_call_ = time + step_ms_;
    ++count_of_call_;
    if (next_ && time < *next_ - kToleranceMs) {
      ++seen;
      continue;
    }
    if (next_ && time > *next_ + kToleranceMs) {
      return absl::InternalError(
          absl::StrCat("the stream that goes on lacks ", name_, " from ", *next_, " to ", time - step_ms_, " ms"));
    }
    next_ = next_of_call_;
    ++count_;
  }
  return seen;
}

std::optional<double> AnswerTimes::NeededFromMs() const {
  if (!next_) return std::nullopt;
  return *next_ - reach_ms_;
}

StreamProgress::StreamProgress(bool rows, bool scene_windows, const std::vector<std::string>& timestamp_heads,
                               int64_t first_sample, int sample_rate_hz)
    : first_sample_(first_sample),
      samples_per_ms_(sample_rate_hz / 1000.0),
      has_rows_(rows),
      has_scene_windows_(scene_windows),
      rows_("the row", kRowStepMs, kRowReachMs),
      scene_windows_("the scene window", kSceneStepMs, kSceneReachMs) {
  for (const std::string& name : timestamp_heads) {
    heads_.try_emplace(name, absl::StrCat("the answer of head ", name), kRowStepMs, kRowReachMs);
  }
}

void StreamProgress::OnNewCall() {
  rows_.OnNewCall();
  scene_windows_.OnNewCall();
  for (auto& [name, times] : heads_) times.OnNewCall();
}

AnswerTimes* StreamProgress::head(const std::string& name) {
  const auto found = heads_.find(name);
  return found == heads_.end() ? nullptr : &found->second;
}

int64_t StreamProgress::NeededFromSample() const {
  std::vector<std::optional<double>> needed;
  if (has_rows_) needed.push_back(rows_.NeededFromMs());
  if (has_scene_windows_) needed.push_back(scene_windows_.NeededFromMs());
  for (const auto& [name, times] : heads_) needed.push_back(times.NeededFromMs());
  std::optional<int64_t> first;
  for (const std::optional<double>& ms : needed) {
    if (!ms) return first_sample_;
    const auto sample = static_cast<int64_t>(std::floor(*ms * samples_per_ms_));
    first = std::min(first.value_or(sample), sample);
  }
  return std::max(first.value_or(first_sample_), first_sample_);
}

}  // namespace hearwire::client
