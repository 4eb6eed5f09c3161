// The frames of a chunk's windows, each once, and where every window finds its own.
//
// Neighbouring windows of a clip view the same frames in memory. These are recognised by their addresses.

#ifndef HEARWIRE_MODELS_CHUNKS_SHARED_FRAMES_H_
#define HEARWIRE_MODELS_CHUNKS_SHARED_FRAMES_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "models/chunks/slot.h"
#include "models/embedder.h"

namespace hearwire {

// Reused from chunk to chunk for its memory.
class SharedFrames {
 public:
  // windows: of `mels` bands; they are viewed until Write.
  void Collect(absl::Span<const WindowRequest* const> windows, int mels);

  // Distinct frames, and one of zeros that windows are padded with.
  int rows() const { return rows_; }

  // Writes the collected windows as the first of a chunk of `shape`; the others are zeros, as long as the chunk allows.
  void Write(const ChunkShape& shape, const ChunkInput& input) const;

 private:
  static constexpr int kZeroRow = 0;

  // A run of one window.
  struct Run {
    const float* frames;
    int count;
    int window;
    int first_frame;  // Of the run, in its window.
    int first_row;
  };
  // Frames that lie one after the other, from runs that overlap.
  struct Piece {
    const float* begin;
    const float* end;
    int first_row;
  };

  int mels_ = 0;
  int rows_ = 0;
  std::vector<Run> runs_;
  std::vector<Piece> pieces_;
  std::vector<int32_t> lengths_;  // Of each window.
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CHUNKS_SHARED_FRAMES_H_
