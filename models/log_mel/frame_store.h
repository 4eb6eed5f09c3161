// Where the frames of a run of windows are kept, each once, and where every window finds its own.

#ifndef HEARWIRE_MODELS_LOG_MEL_FRAME_STORE_H_
#define HEARWIRE_MODELS_LOG_MEL_FRAME_STORE_H_

#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <vector>

#include "models/log_mel/frame_block.h"
#include "models/log_mel/window.h"
#include "models/log_mel/window_grid.h"

namespace hearwire {

// A window and what keeps the frames that it views alive.
struct StreamWindow {
  // Its place among the recording's windows: timestamp i is centred on i x 50 ms, scene window i on i x 2.5 s.
  int64_t index = 0;
  Window window;
  FrameRefs frames;
};

// Windows are taken one after the other, from any of them on. Inner frames are found again by the later windows that
// share them; edges are each window's own. Holds the frames that windows to come may share, and the blocks that are not
// full yet. No frame is asked for that no window needs, and none twice.
class FrameStore {
 public:
  static constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();

  // held: counts the bytes of all blocks.
  FrameStore(const WindowGrid& grid, int mels, std::shared_ptr<HeldBytes> held);

  // The next window. windows_left: this one and those behind it; where it
  // is known, there is a single block for all of them.
  void BeginWindow(int64_t index, int64_t windows_left = kUnknown);

  // Where the frame of the window is to be written, [mels], before the window is used; null: it is stored already. Once
  // for each frame, in their order.
  float* NewFrame(int64_t frame);

  // The window, when NewFrame has been asked for all its frames.
  StreamWindow EndWindow();

 private:
  // A block that is being filled.
  struct OpenBlock {
    std::shared_ptr<FrameBlock> block;
    int64_t used = 0;

    bool has_room(int64_t frames) const { return block != nullptr && used + frames <= block->capacity(); }
  };

  // The inner frames of every cycle-th window, numbered from the frame 0 of the first of them on.
  struct Phase {
    // Frames next to each other in number and in memory.
    struct Piece {
      int64_t first_frame;
      int64_t frame_count;
      std::shared_ptr<FrameBlock> block;
      int64_t place;  // In the block.
    };
    OpenBlock open;
    std::deque<Piece> pieces;
    int64_t end_frame = std::numeric_limits<int64_t>::min();  // Behind the last that was asked for.
  };

  OpenBlock NewBlock(int64_t capacity) const;
  float* NewInnerFrame(int64_t phase_frame);
  int64_t InnerBlockCapacity() const;

  const WindowGrid grid_;
  const int64_t frames_per_window_;
  const int64_t first_inner_;
  const int64_t end_inner_;
  const int64_t frames_per_cycle_;
  const int mels_;
  const std::shared_ptr<HeldBytes> held_;

  std::vector<Phase> phases_;  // [cycle]
  OpenBlock edges_;

  // The window that is taken now.
  int64_t index_ = 0;
  int64_t windows_left_ = kUnknown;
  Phase* phase_ = nullptr;
  int64_t phase_begin_ = 0;  // Number of its frame 0 in the phase.
  int64_t first_edge_ = 0;   // In the block of the edges.
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_LOG_MEL_FRAME_STORE_H_
