#include "server/pipeline/prepared_windows.h"

#include <algorithm>
#include <utility>

namespace hearwire {

std::vector<WindowRequest> PreparedWindows::Add(int clip, std::vector<StreamWindow> windows, bool last_of_clip,
                                                absl::Span<const Readout> readouts) {
  Piece& piece = pieces_.emplace_back();
  piece.clip = clip;
  piece.last_of_clip = last_of_clip;
  piece.first = next_window_;
  piece.first_of_clip = windows.empty() ? 0 : windows.front().index;
  piece.windows = static_cast<int64_t>(windows.size());
  piece.values = piece.windows * row_size_;
  // Not zeroed: every row is written before anybody reads it.
  piece.rows.reset(new float[static_cast<size_t>(piece.values)]);
  next_window_ += piece.windows;

  std::vector<WindowRequest> requests;
  requests.reserve(windows.size());
  piece.frame_refs.reserve(windows.size());
  float* row = piece.rows.get();
  for (StreamWindow& window : windows) {
    requests.push_back({.window = window.window, .readouts = readouts, .row = row});
    piece.frames += window.window.frame_count();
    piece.frame_refs.push_back(std::move(window.frames));
    row += row_size_;
  }
  return requests;
}

int64_t PreparedWindows::OnComputed(int64_t first, int64_t count) {
  int64_t frames = 0;
  // Pieces hold consecutive numbers; the first one that ends behind `first` is the first concerned.
  auto piece = std::partition_point(pieces_.begin(), pieces_.end(),
                                    [&](const Piece& p) { return p.first + p.windows <= first; });
  while (count > 0 && piece != pieces_.end()) {
    const int64_t here = std::min(count, piece->first + piece->windows - first);
    piece->computed += here;
    // All windows of a clip have as many frames.
    if (piece->windows > 0) frames += here * (piece->frames / piece->windows);
    if (piece->computed == piece->windows) piece->frame_refs.clear();
    first += here;
    count -= here;
    ++piece;
  }
  return frames;
}

std::optional<PreparedWindows::Piece> PreparedWindows::Take() {
  if (pieces_.empty() || pieces_.front().computed < pieces_.front().windows) return std::nullopt;
  std::optional<Piece> piece(std::move(pieces_.front()));
  pieces_.pop_front();
  return piece;
}

}  // namespace hearwire
