#include "models/chunks/shared_frames.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace hearwire {

void SharedFrames::Collect(absl::Span<const WindowRequest* const> windows, int mels) {
  mels_ = mels;
  runs_.clear();
  pieces_.clear();
  lengths_.clear();
  for (const WindowRequest* request : windows) {
    int length = 0;
    for (const Window::Run& run : request->window.runs) {
      if (run.frame_count == 0) continue;
      runs_.push_back({run.frames, run.frame_count, static_cast<int>(lengths_.size()), length, 0});
      length += run.frame_count;
    }
    lengths_.push_back(length);
  }
  std::sort(runs_.begin(), runs_.end(),
            [](const Run& a, const Run& b) { return std::less<const float*>()(a.frames, b.frames); });
  rows_ = kZeroRow + 1;
  for (Run& run : runs_) {
    const float* const end = run.frames + int64_t{1} * run.count * mels;
    // Only runs that overlap are joined: what merely ends where the next begins may be of another allocation.
    const bool joins = !pieces_.empty() && std::less<const float*>()(run.frames, pieces_.back().end) &&
                       (run.frames - pieces_.back().begin) % mels == 0;
    if (!joins) pieces_.push_back({run.frames, run.frames, rows_});
    Piece& piece = pieces_.back();
    run.first_row = piece.first_row + static_cast<int>((run.frames - piece.begin) / mels);
    if (!std::less<const float*>()(piece.end, end)) continue;
    piece.end = end;
    rows_ = piece.first_row + static_cast<int>((end - piece.begin) / mels);
  }
}

void SharedFrames::Write(const ChunkShape& shape, const ChunkInput& input) const {
  std::fill_n(input.rows + int64_t{kZeroRow} * mels_, mels_, 0.0f);
  for (const Piece& piece : pieces_)
    std::copy(piece.begin, piece.end, input.rows + int64_t{1} * piece.first_row * mels_);
  const auto index_of = [&](int window, int frame) { return input.index + int64_t{1} * window * shape.frames + frame; };
  for (const Run& run : runs_) {
    int32_t* const first = index_of(run.window, run.first_frame);
    std::iota(first, first + run.count, run.first_row);
  }
  const int windows = static_cast<int>(lengths_.size());
  for (int i = 0; i < windows; ++i) std::fill(index_of(i, lengths_[i]), index_of(i + 1, 0), kZeroRow);
  std::fill(index_of(windows, 0), index_of(shape.windows, 0), kZeroRow);
  std::fill(std::copy(lengths_.begin(), lengths_.end(), input.lengths), input.lengths + shape.windows, shape.frames);
}

}  // namespace hearwire
