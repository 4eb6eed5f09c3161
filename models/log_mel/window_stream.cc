#include "models/log_mel/window_stream.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "models/log_mel/copy_frame.h"
#include "models/log_mel/mel_bank.h"
#include "models/log_mel/overflow_error.h"

namespace hearwire {
namespace {

absl::Status CheckLength(int64_t samples, int64_t least, const char* kind) {
  if (samples >= least) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("the clip is too short: %d samples (%.4g s); %s need at least %d (%.4g s at %d Hz)", samples,
                      static_cast<double>(samples) / kSampleRateHz, kind, least,
                      static_cast<double>(least) / kSampleRateHz, kSampleRateHz));
}

absl::Status CheckFirstSample(const WindowStreamOptions& options) {
  if (options.first_sample >= 0 && options.first_sample <= WindowStream::kMaxSamples) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("a first sample of ", options.first_sample, " is out of range; 0 to 2^62 are possible"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<WindowStream>> WindowStream::ForTimestamps(int window_samples,
                                                                          const WindowStreamOptions& options) {
  if (window_samples < kMinWindowSamples) {
    return absl::InvalidArgumentError(
        absl::StrCat("a window of ", window_samples, " samples is too short: at least ", kMinWindowSamples));
  }
  if (absl::Status status = CheckFirstSample(options); !status.ok()) return status;
  return std::unique_ptr<WindowStream>(new WindowStream(Kind::kTimestamps, window_samples, options));
}

absl::StatusOr<std::unique_ptr<WindowStream>> WindowStream::ForScenes(const WindowStreamOptions& options) {
  if (absl::Status status = CheckFirstSample(options); !status.ok()) return status;
  return std::unique_ptr<WindowStream>(new WindowStream(Kind::kScenes, kSceneWindowSamples, options));
}

WindowStream::WindowStream(Kind kind, int window_samples, const WindowStreamOptions& options)
    : kind_(kind), options_(options), samples_(options.first_sample), kernel_(GetMelBank(options.mel.n_mels)) {
  targets_.reserve(LogMelFrames::kMaxFrames);
  // The scenes of a long recording: a short one gets its own grid at its end.
  SetGrid(kind == Kind::kTimestamps ? TimestampGrid(window_samples, options.mel)
                                    : SceneGrid(kSceneWindowSamples + 1, options.mel));
  // The first window that begins at the first sample or later.
  if (options.first_sample > 0) {
    next_window_ = (options.first_sample + grid_.padding + grid_.window_hop - 1) / grid_.window_hop;
  }
}

void WindowStream::SetGrid(const WindowGrid& grid) {
  grid_ = grid;
  store_.reset();
}

absl::Status WindowStream::Append(absl::Span<const float> samples) {
  if (absl::Status status = MakeRoom(samples.size()); !status.ok()) return status;
  samples_.Append(samples);
  return absl::OkStatus();
}

absl::Status WindowStream::AppendView(absl::Span<const float> samples) {
  if (absl::Status status = MakeRoom(samples.size()); !status.ok()) return status;
  samples_.AppendView(samples);
  return absl::OkStatus();
}

absl::Status WindowStream::MakeRoom(size_t samples) {
  if (static_cast<int64_t>(samples) > kMaxSamples - samples_.end()) {
    return absl::OutOfRangeError("the recording is longer than 2^62 samples");
  }
  // What has been planned is copied already: its samples are kept for the error alone.
  samples_.DropBefore(resume_sample());
  return absl::OkStatus();
}

int64_t WindowStream::resume_sample() const {
  // A window that reaches over the recording's end sees one sample before its begin, reflected.
  return std::max<int64_t>(grid_.begin(first_window()) - 1, 0);
}

absl::Status WindowStream::Finish() {
  const int64_t total = samples_.end();
  const bool is_scene = kind_ == Kind::kScenes;
  const int64_t least = is_scene ? kMinWindowSamples : grid_.padding + 1;
  if (absl::Status status = CheckLength(total, least, is_scene ? "scenes" : "timestamps"); !status.ok()) return status;
  finished_ = true;
  const bool is_one_window = is_scene && total <= kSceneWindowSamples;
  if (is_one_window && options_.first_sample == 0) SetGrid(SceneGrid(total, options_.mel));
  end_window_ = is_one_window && options_.first_sample > 0 ? next_window_ : grid_.window_count(total);
  // A window that begins at the very first sample may see the one before that, reflected at the recording's end.
  if (options_.first_sample > 0 && next_window_ < end_window_) {
    const int64_t last = grid_.end(next_window_) - 1;
    if (last >= total && total - 1 - (last - (total - 1)) < options_.first_sample) end_window_ = next_window_;
  }
  return absl::OkStatus();
}

bool WindowStream::IsKnown(int64_t window) const {
  if (finished_) return window < end_window_;
  if (kind_ == Kind::kScenes && samples_.end() <= kSceneWindowSamples) return false;
  return std::max(grid_.end(window) - 1, -grid_.begin(window)) < samples_.end();
}

void WindowStream::Plan() {
  const int64_t frames = grid_.frames_per_window();
  const int64_t clip_size = finished_ ? samples_.end() : kUnknownSize;
  while (next_frame_ > 0 || IsKnown(next_window_)) {
    if (store_ == nullptr) store_ = std::make_unique<FrameStore>(grid_, options_.mel.n_mels, frame_bytes_);
    if (next_frame_ == 0) {
      store_->BeginWindow(next_window_, finished_ ? end_window_ - next_window_ : FrameStore::kUnknown);
    }
    const int64_t begin = grid_.begin(next_window_);
    for (; next_frame_ < frames; ++next_frame_) {
      if (targets_.size() == LogMelFrames::kMaxFrames) return;
      float* const target = store_->NewFrame(next_frame_);
      if (target == nullptr) continue;
      const FrameJob job{.first_sample = begin + next_frame_ * grid_.frame_hop - kFrameSamples / 2,
                         .window_begin = begin,
                         .window_end = begin + grid_.window_samples - 1};
      CopyFrame(samples_, clip_size, job, kernel_.samples(static_cast<int>(targets_.size())));
      targets_.push_back(target);
    }
    planned_.push_back({store_->EndWindow(), computed_frames_ + static_cast<int64_t>(targets_.size())});
    ++next_window_;
    next_frame_ = 0;
  }
}

absl::Status WindowStream::Compute(std::vector<StreamWindow>* windows) {
  const bool is_finite = kernel_.Compute(targets_);
  computed_frames_ += static_cast<int64_t>(is_finite ? targets_.size() : CountFinite());
  targets_.clear();
  while (!planned_.empty() && planned_.front().end_frame <= computed_frames_) {
    windows->push_back(std::move(planned_.front().window));
    planned_.pop_front();
  }
  if (is_finite) return absl::OkStatus();
  const int64_t held = samples_.end() - samples_.begin();
  std::vector<float> scratch(static_cast<size_t>(held));
  return OverflowError({samples_.Read(samples_.begin(), held, scratch.data()), scratch.size()});
}

size_t WindowStream::CountFinite() {
  // The kernel overwrites the samples behind those of the frames that it computes.
  size_t count = targets_.size() - 1;
  while (count > 0 && !kernel_.Compute(absl::MakeConstSpan(targets_).first(count))) --count;
  return count;
}

absl::StatusOr<WindowStream::Progress> WindowStream::Step(std::vector<StreamWindow>* windows) {
  if (!status_.ok()) return status_;
  for (int frames = 0; frames < kStepFrames; frames += LogMelFrames::kMaxFrames) {
    Plan();
    const bool is_full = targets_.size() == LogMelFrames::kMaxFrames;
    if (targets_.empty() || (!is_full && options_.full_batches && !finished_)) {
      return finished_ ? Progress::kEnd : Progress::kWaiting;
    }
    status_ = Compute(windows);
    if (!status_.ok()) return status_;
    if (!is_full) return finished_ ? Progress::kEnd : Progress::kWaiting;
  }
  // Whoever has the last window knows by this that it is the last.
  const bool is_end = finished_ && planned_.empty() && targets_.empty() && next_window_ >= end_window_;
  return is_end ? Progress::kEnd : Progress::kMore;
}

}  // namespace hearwire
