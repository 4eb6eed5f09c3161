// Where the padding of a chunk's windows begins, in the maps of every block.
//
// Frames beyond a window's end hold zeros, but a map computed from them does not: a convolution's bias makes something
// of zeros. So the columns of a map beyond a window's end may hold anything, and whoever reads across columns fills
// them first: zeros before a kernel wider than one column and before a mean, minus infinity before a maximum. Filled,
// a window's own columns come out as if it had been run without padding.

#ifndef HEARWIRE_MODELS_TORCH_WINDOW_MASK_H_
#define HEARWIRE_MODELS_TORCH_WINDOW_MASK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace hearwire {

// Maps are [windows, channels, time, mels]; their time is the frames' divided by 1, 2, 4, … and rounded up. Made in one
// thread for one forward pass. Throws LibTorch's exceptions.
class WindowMask {
 public:
  // No window is padded: nothing is computed or filled.
  WindowMask() = default;

  // lengths: [windows], int32, frames of each window. frames: of the chunk's windows, padding included. shortest: the
  // smallest length, below `frames`.
  WindowMask(const at::Tensor& lengths, int64_t frames, int64_t shortest);

  // Fills what is beyond each window's end, in place.
  void Fill(at::Tensor& map, double value) const;

  // Over time and mels, and over time alone; fill the padding with zeros, in place. The result is float32.
  at::Tensor Mean(at::Tensor& map) const;          // [windows, channels]
  at::Tensor MeanOverTime(at::Tensor& map) const;  // [windows, channels, mels]

  // The same of a spectrogram [windows, frames, mels], whose padding is zeros: [windows, mels].
  at::Tensor MeanOfFrames(const at::Tensor& spectrograms) const;

 private:
  int64_t StrideOf(int64_t time) const;
  // What makes a window's own mean of one over all columns: all columns / own columns, [windows, 1], float32.
  const at::Tensor& Factors(int64_t time) const;

  at::Tensor lengths_;  // Undefined: no window is padded.
  at::Tensor padding_;  // [windows, 1, frames, 1], true where padding is.
  int64_t frames_ = 0;
  int64_t shortest_ = 0;
  mutable std::vector<std::pair<int64_t, at::Tensor>> factors_;  // By time, as they are asked for.
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_WINDOW_MASK_H_
