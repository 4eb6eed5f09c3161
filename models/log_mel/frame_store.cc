#include "models/log_mel/frame_store.h"

#include <algorithm>
#include <utility>

namespace hearwire {
namespace {

// Blocks hold the frames of several windows, where these are short.
constexpr int64_t kBlockFrames = 64;

}  // namespace

FrameStore::FrameStore(const WindowGrid& grid, int mels, std::shared_ptr<HeldBytes> held)
    : grid_(grid),
      frames_per_window_(grid.frames_per_window()),
      first_inner_(grid.first_inner_frame()),
      end_inner_(grid.end_inner_frame()),
      frames_per_cycle_(grid.frames_per_cycle()),
      mels_(mels),
      held_(std::move(held)),
      phases_(static_cast<size_t>(grid.cycle())) {}

FrameStore::OpenBlock FrameStore::NewBlock(int64_t capacity) const {
  return {.block = std::make_shared<FrameBlock>(mels_, capacity, held_)};
}

void FrameStore::BeginWindow(int64_t index, int64_t windows_left) {
  index_ = index;
  windows_left_ = windows_left;
  const auto cycle = static_cast<int64_t>(phases_.size());
  phase_ = &phases_[static_cast<size_t>(index % cycle)];
  phase_begin_ = index / cycle * frames_per_cycle_;
  const int64_t edges = frames_per_window_ - (end_inner_ - first_inner_);
  if (!edges_.has_room(edges)) {
    const int64_t windows = windows_left == kUnknown ? std::max<int64_t>(1, kBlockFrames / edges) : windows_left;
    edges_ = NewBlock(windows * edges);
  }
  first_edge_ = edges_.used;
}

float* FrameStore::NewFrame(int64_t frame) {
  if (frame < first_inner_ || frame >= end_inner_) return edges_.block->frame(edges_.used++);
  return phase_begin_ + frame < phase_->end_frame ? nullptr : NewInnerFrame(phase_begin_ + frame);
}

float* FrameStore::NewInnerFrame(int64_t phase_frame) {
  OpenBlock& open = phase_->open;
  const bool has_room = open.has_room(1);
  if (!has_room) open = NewBlock(InnerBlockCapacity());
  if (!has_room || phase_->pieces.empty()) {  // Pieces are there only where frames go on.
    phase_->pieces.push_back({phase_frame, 0, open.block, open.used});
  }
  ++phase_->pieces.back().frame_count;
  phase_->end_frame = phase_frame + 1;
  return open.block->frame(open.used++);
}

int64_t FrameStore::InnerBlockCapacity() const {
  const int64_t inner = end_inner_ - first_inner_;
  if (windows_left_ == kUnknown) {
    // A window finds its inner frames in kMaxMiddleRuns runs at most: it ends in one block and fills the others.
    constexpr int64_t kFullBlocks = Window::kMaxMiddleRuns - 1;
    return std::max(kBlockFrames, (inner + kFullBlocks - 1) / kFullBlocks);
  }
  const int64_t missing = phase_begin_ + end_inner_ - std::max(phase_->end_frame, phase_begin_ + first_inner_);
  const int64_t later_windows = (windows_left_ - 1) / static_cast<int64_t>(phases_.size());
  return missing + later_windows * std::min(inner, frames_per_cycle_);
}

StreamWindow FrameStore::EndWindow() {
  StreamWindow result{.index = index_, .window = {.runs = {}, .mels = mels_}, .frames = {edges_.block}};
  auto& runs = result.window.runs;
  runs.front() = {.frames = edges_.block->frame(first_edge_), .frame_count = static_cast<int>(first_inner_)};
  runs.back() = {.frames = edges_.block->frame(first_edge_ + first_inner_),
                 .frame_count = static_cast<int>(frames_per_window_ - end_inner_)};
  size_t run = 1;
  for (const Phase::Piece& piece : phase_->pieces) {
    const int64_t begin = std::max(piece.first_frame, phase_begin_ + first_inner_);
    const int64_t end = std::min(piece.first_frame + piece.frame_count, phase_begin_ + end_inner_);
    if (begin >= end) continue;
    runs[run++] = {.frames = piece.block->frame(piece.place + begin - piece.first_frame),
                   .frame_count = static_cast<int>(end - begin)};
    result.frames.push_back(piece.block);
  }
  const int64_t next_begin = phase_begin_ + frames_per_cycle_ + first_inner_;
  while (!phase_->pieces.empty() &&
         phase_->pieces.front().first_frame + phase_->pieces.front().frame_count <= next_begin) {
    phase_->pieces.pop_front();
  }
  return result;
}

}  // namespace hearwire
