// The front end: from a clip's samples to the windows of its log-mel spectrogram.
//
// Pre-emphasis y[n] = x[n+1] - 0.97 x[n]; STFT of 1024 points with a symmetric Hann window of 800, centred, reflect
// padding; power; Kaldi mel bands from 0 to 15 kHz; log(x + 1e-5); (x + 4.5) / 5. Frames that windows share are
// computed once, and every frame's numbers are the same whoever shares it.

#ifndef HEARWIRE_MODELS_LOG_MEL_CLIP_WINDOWS_H_
#define HEARWIRE_MODELS_LOG_MEL_CLIP_WINDOWS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/configs/config.h"
#include "models/log_mel/frame_block.h"
#include "models/log_mel/window.h"

namespace hearwire {

// The version of everything between samples and windows, resampler included: part of an embedding's space. Changes with
// any change of its numbers beyond rounding.
inline constexpr char kFrontendVersion[] = "logmel-2";

// The windows of one clip, and what keeps the frames that they view alive. Windows stay valid when it is moved.
struct ClipWindows {
  std::vector<Window> windows;  // In time order.
  std::vector<FrameRefs> frames;
  int64_t frame_bytes = 0;  // Of all frames together.
};

// How many windows a clip has and how many frames each. Known before any spectrogram is computed.
struct WindowCount {
  int64_t windows = 0;
  int64_t frames_per_window = 0;
  int64_t total_frames() const { return windows * frames_per_window; }
};

// A scene of up to 10 s is one window; a longer one is windows of 10 s every 2.5 s of the clip padded by 5 s of
// reflection on both sides. samples: at least min_scene_samples.
WindowCount CountSceneWindows(int64_t samples, const MelSettings& mel);

// Timestamps: windows of window_samples every 50 ms of the clip padded by half a window of reflection on both sides;
// row i is centred on i x 50 ms. samples: at least window_samples / 2 + 1.
WindowCount CountTimestampWindows(int64_t samples, int window_samples, const MelSettings& mel);

// Compute them, as a WindowStream does. clip: mono samples at kSampleRateHz.
// INVALID_ARGUMENT: the clip is too short (the message says the least, in samples and seconds), or its spectrogram
// overflows because of the size of its values. Thread-safe.
absl::StatusOr<ClipWindows> MakeSceneWindows(absl::Span<const float> clip, const MelSettings& mel);
absl::StatusOr<ClipWindows> MakeTimestampWindows(absl::Span<const float> clip, int window_samples,
                                                 const MelSettings& mel);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_LOG_MEL_CLIP_WINDOWS_H_
