// What has come of a stream's answers, and where another stream must begin so that none is missing.
//
// Answers of one kind (rows, scene windows, each timestamp head's) come at equal steps. So their times alone say what
// is new, what has come before, and what is missing, whichever server answers.

#ifndef HEARWIRE_CLIENT_STREAM_PROGRESS_H_
#define HEARWIRE_CLIENT_STREAM_PROGRESS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace hearwire::client {

// The times of one kind of answers. Not thread-safe.
class AnswerTimes {
 public:
  // name: for messages. From one answer to the next there are step_ms; an answer needs audio from reach_ms before it
  // on.
  AnswerTimes(std::string name, double step_ms, double reach_ms)
      : name_(std::move(name)), step_ms_(step_ms), reach_ms_(reach_ms) {}

  // The next call of the stream: it may repeat what has come.
  void OnNewCall() {
    next_of_call_.reset();
    count_of_call_ = 0;
  }

  // How many at the front of the next answers of this call have come before. INTERNAL: they are not at equal steps, or
  // some are missing before them.
  absl::StatusOr<int64_t> CountSeen(absl::Span<const double> times_ms);

  // Audio from here on is needed for the next answer. Absent: none has come yet.
  std::optional<double> NeededFromMs() const;

  int64_t count() const { return count_; }  // Without those that came again.
  int64_t count_of_call() const { return count_of_call_; }

 private:
  const std::string name_;
  const double step_ms_;
  const double reach_ms_;
  std::optional<double> next_;          // When the next new answer is.
  std::optional<double> next_of_call_;  // When the call's next answer is.
  int64_t count_ = 0;
  int64_t count_of_call_ = 0;
};

// Of all kinds that a stream asks for. Not thread-safe.
class StreamProgress {
 public:
  // timestamp_heads: their names.
  StreamProgress(bool rows, bool scene_windows, const std::vector<std::string>& timestamp_heads, int64_t first_sample,
                 int sample_rate_hz);

  void OnNewCall();

  bool has_scene_windows() const { return has_scene_windows_; }
  AnswerTimes& rows() { return rows_; }
  AnswerTimes& scene_windows() { return scene_windows_; }
  // Null: no timestamp head of that name is known.
  AnswerTimes* head(const std::string& name);

  // Index in the recording of the first sample that is needed for what has not come, with room for any server's window
  // and resampler.
  int64_t NeededFromSample() const;

 private:
  const int64_t first_sample_;
  const double samples_per_ms_;
  const bool has_rows_;
  const bool has_scene_windows_;
  AnswerTimes rows_;
  AnswerTimes scene_windows_;
  std::map<std::string, AnswerTimes> heads_;
};

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_STREAM_PROGRESS_H_
