// The windows of audio that comes in pieces, each as soon as it can be known.
//
// Plan: samples go to a SampleHistory. For one window after the other, the frames that it does not share with earlier
// ones are copied into the kernel; every 16 of them are computed together and stored in blocks. A window is given away
// when its last frame is there. Blocks live as long as anybody holds a window that views them.

#ifndef HEARWIRE_MODELS_LOG_MEL_WINDOW_STREAM_H_
#define HEARWIRE_MODELS_LOG_MEL_WINDOW_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/configs/config.h"
#include "models/log_mel/frame_block.h"
#include "models/log_mel/frame_store.h"
#include "models/log_mel/log_mel_frames.h"
#include "models/log_mel/sample_history.h"
#include "models/log_mel/window_grid.h"

namespace hearwire {

struct WindowStreamOptions {
  MelSettings mel = {};
  // Index of the first sample in the recording, for a stream that goes on where another ended: 0 to kMaxSamples.
  // Windows that reach before it are left out; nothing is reflected there.
  int64_t first_sample = 0;
  // Computes 16 frames at a time only, and the last ones at the end: cheapest, and up to 15 frames' windows come with
  // later samples. Otherwise every window comes as soon as it can be known.
  bool full_batches = false;
};

// The windows of all pieces are those of the whole clip, bit for bit, however it is cut: see MakeTimestampWindows and
// MakeSceneWindows. A window is known when its last sample is there, which for timestamps is half a window behind its
// centre. Scene windows of 10 s exist only in clips of more than 10 s: the first are known when the clip is. A shorter
// clip's scene is one window, known at the end. The windows that reach over the clip's end are known at the end.
//
// Memory does not grow with the length, where Step is called until it waits after each piece:
// - samples: 4 bytes x (window_samples + piece + 3 x SampleHistory::kChunkSamples); of scenes 1.4 MB; with full_batches
//   also those of the windows that wait for a batch: at most 1 x window_hop of scenes, 8 x of timestamps;
// - frames: 4 bytes x mels x (cycle x (frames_per_window + 2 x B) + 2 x 64), where B is frames_per_window / 5, at least
//   64, and cycle, 1 to 3, is WindowGrid's: of scenes on 128 bands 0.8 MB, of timestamps of 160 ms 0.14 MB;
// - the kernel: 54 kB, and 110 kB for each thread that computes;
// - windows that were given away, until they are dropped: 4 bytes x mels for each frame of each, at most, and for those
//   of the blocks (B and 64 frames) in which the first begins and the last ends.
// One thread at a time; windows may be read and dropped on any.
class WindowStream {
 public:
  static constexpr int64_t kMaxSamples = int64_t{1} << 62;

  // INVALID_ARGUMENT: a window of less than kMinWindowSamples; first_sample out of range.
  static absl::StatusOr<std::unique_ptr<WindowStream>> ForTimestamps(int window_samples,
                                                                     const WindowStreamOptions& options);
  static absl::StatusOr<std::unique_ptr<WindowStream>> ForScenes(const WindowStreamOptions& options);

  // Takes the next samples, at kSampleRateHz. Computes nothing. Not after Finish. OUT_OF_RANGE: more than kMaxSamples
  // in the recording.
  absl::Status Append(absl::Span<const float> samples);

  // Likewise, without a copy: the samples must stay as long as this.
  absl::Status AppendView(absl::Span<const float> samples);

  // No samples come any more. INVALID_ARGUMENT: the recording is too short (the message says the least, in samples and
  // seconds); no window has been given away then.
  absl::Status Finish();

  enum class Progress {
    kMore,     // There is more to do at once.
    kWaiting,  // For samples, or the end.
    kEnd,      // All windows have been given away: said with the last one, where there is one.
  };

  static constexpr int kStepFrames = 128;

  // Computes the next frames, kStepFrames at most, and appends the windows that are complete to *windows, in order.
  // INVALID_ARGUMENT: the spectrogram overflows because of the size of the samples, or one of them is not finite (the
  // message names the largest of those that are held); the windows before the overflow have been given. The error
  // stays.
  absl::StatusOr<Progress> Step(std::vector<StreamWindow>* windows);

  // Samples of the recording so far, those before first_sample included.
  int64_t samples() const { return samples_.end(); }

  // The first_sample of a stream that has to give the windows that Step has not given yet: the last one possible. 0
  // where they see the reflection at the recording's start: such a stream gives the ones before them again.
  int64_t resume_sample() const;

  // Of the samples held.
  int64_t sample_bytes() const { return samples_.bytes(); }
  // Of the frames held by this and by all windows given away and not dropped yet.
  std::shared_ptr<const HeldBytes> frame_bytes() const { return frame_bytes_; }

 private:
  enum class Kind { kTimestamps, kScenes };

  // A window whose frames are planned, not all computed.
  struct Planned {
    StreamWindow window;
    int64_t end_frame;  // Behind its last, counted as computed_frames_.
  };

  WindowStream(Kind kind, int window_samples, const WindowStreamOptions& options);

  void SetGrid(const WindowGrid& grid);
  // Of those that Step has not given yet.
  int64_t first_window() const { return planned_.empty() ? next_window_ : planned_.front().window.index; }
  // Drops the samples that nobody needs any more, before others come.
  absl::Status MakeRoom(size_t samples);
  // Whether all samples of the window are there.
  bool IsKnown(int64_t window) const;
  // Copies frames into the kernel until it is full, or no window is known any more.
  void Plan();
  absl::Status Compute(std::vector<StreamWindow>* windows);
  // Of targets_, how many frames come before the first that overflows, when one does.
  size_t CountFinite();

  const Kind kind_;
  const WindowStreamOptions options_;
  const std::shared_ptr<HeldBytes> frame_bytes_ = std::make_shared<HeldBytes>(0);
  SampleHistory samples_;
  bool finished_ = false;
  absl::Status status_;  // What Step has failed with.

  // Where the windows lie; for scenes, once the recording is longer than 10 s or has ended.
  WindowGrid grid_;
  std::unique_ptr<FrameStore> store_;  // Of this grid; null: no window is planned yet.

  // What is planned next: frame next_frame_ of window next_window_. end_window_: one behind the last; when finished.
  int64_t next_window_ = 0;
  int64_t next_frame_ = 0;
  int64_t end_window_ = 0;

  // What is planned and not computed.
  LogMelFrames kernel_;
  std::vector<float*> targets_;  // Where the kernel's frames go.
  std::deque<Planned> planned_;
  int64_t computed_frames_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_LOG_MEL_WINDOW_STREAM_H_
