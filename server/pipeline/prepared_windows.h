// A call's windows from their preparation until their rows have been handed on, in order.

#ifndef HEARWIRE_SERVER_PIPELINE_PREPARED_WINDOWS_H_
#define HEARWIRE_SERVER_PIPELINE_PREPARED_WINDOWS_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "models/configs/feature.h"
#include "models/embedder.h"
#include "models/log_mel/window_stream.h"

namespace hearwire {

// Of one lane. Windows are numbered as they come, over all clips of the call. They come in pieces of one clip; batches
// compute them in any order; pieces leave in the order in which they came, each when it is computed whole. Not
// thread-safe.
class PreparedWindows {
 public:
  struct Piece {
    int clip = 0;
    bool last_of_clip = false;
    int64_t first = 0;          // Number of its first window.
    int64_t first_of_clip = 0;  // Likewise among all those of the clip.
    int64_t windows = 0;
    int64_t frames = 0;                 // Of them, together.
    int64_t computed = 0;               // Of its windows.
    std::vector<FrameRefs> frame_refs;  // What the windows view; let go once they are computed.
    std::unique_ptr<float[]> rows;      // [windows, row_size], so many values.
    int64_t values = 0;
  };

  explicit PreparedWindows(int row_size) : row_size_(row_size) {}

  // Takes the next windows of a clip, at least one unless they are the clip's last, and returns what the embedder is to
  // run. What that views stays as long as the piece has not been taken; `readouts` are the caller's.
  std::vector<WindowRequest> Add(int clip, std::vector<StreamWindow> windows, bool last_of_clip,
                                 absl::Span<const Readout> readouts);

  // The rows of `count` windows from number `first` on are there. Returns their frames together.
  int64_t OnComputed(int64_t first, int64_t count);

  // The oldest piece, if it is computed whole.
  std::optional<Piece> Take();

  bool empty() const { return pieces_.empty(); }

 private:
  const int row_size_;
  std::deque<Piece> pieces_;
  int64_t next_window_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_PREPARED_WINDOWS_H_
