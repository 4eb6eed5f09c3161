// Frames in memory, shared by the windows that view them.

#ifndef HEARWIRE_MODELS_LOG_MEL_FRAME_BLOCK_H_
#define HEARWIRE_MODELS_LOG_MEL_FRAME_BLOCK_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/container/inlined_vector.h"

namespace hearwire {

// Bytes of all blocks of one stream that are still held by anybody. Thread-safe.
using HeldBytes = std::atomic<int64_t>;

// [capacity, mels] floats. A frame is written once, before any window that views it is given away; others behind it may
// be written while it is read.
class FrameBlock {
 public:
  FrameBlock(int mels, int64_t capacity, std::shared_ptr<HeldBytes> held)
      : mels_(mels),
        capacity_(capacity),
        values_(new float[static_cast<size_t>(mels) * static_cast<size_t>(capacity)]),
        held_(std::move(held)) {
    held_->fetch_add(bytes(), std::memory_order_relaxed);
  }
  ~FrameBlock() { held_->fetch_sub(bytes(), std::memory_order_relaxed); }
  FrameBlock(const FrameBlock&) = delete;
  FrameBlock& operator=(const FrameBlock&) = delete;

  int64_t capacity() const { return capacity_; }
  int64_t bytes() const { return capacity_ * mels_ * static_cast<int64_t>(sizeof(float)); }
  float* frame(int64_t i) { return values_.get() + i * mels_; }

 private:
  const int mels_;
  const int64_t capacity_;
  const std::unique_ptr<float[]> values_;
  const std::shared_ptr<HeldBytes> held_;
};

// Keeps the frames of one window alive. The last one to go frees them, on whatever thread.
using FrameRefs = absl::InlinedVector<std::shared_ptr<const FrameBlock>, 3>;

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_LOG_MEL_FRAME_BLOCK_H_
