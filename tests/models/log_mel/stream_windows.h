// What the tests of WindowStream share.

#ifndef HEARWIRE_TESTS_MODELS_LOG_MEL_STREAM_WINDOWS_H_
#define HEARWIRE_TESTS_MODELS_LOG_MEL_STREAM_WINDOWS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/configs/config.h"
#include "models/log_mel/clip_windows.h"
#include "models/log_mel/window_stream.h"

namespace hearwire {

// Scenes, or timestamps of such a window.
struct Recipe {
  int window_samples = 0;  // 0: scenes.
  MelSettings mel;
};

// White, from -0.5 to 0.5, the same at every call.
std::vector<float> Noise(int64_t samples);

// A window's frames, one after the other.
std::vector<float> FramesOf(const Window& window);

// options: without the recipe's mel settings.
std::unique_ptr<WindowStream> Open(const Recipe& recipe, WindowStreamOptions options = {});

absl::StatusOr<ClipWindows> MakeWhole(const Recipe& recipe, absl::Span<const float> clip);

// Steps until the stream waits, or has ended.
WindowStream::Progress Drain(WindowStream& stream, std::vector<StreamWindow>* windows);

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_MODELS_LOG_MEL_STREAM_WINDOWS_H_
