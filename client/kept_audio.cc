#include "client/kept_audio.h"

#include <algorithm>

namespace hearwire::client {

void KeptAudio::DropBefore(int64_t offset) {
  const int64_t count = std::clamp<int64_t>(offset - begin_, 0, size());
  begin_ += count;
  dropped_ += static_cast<size_t>(count);
  if (dropped_ > bytes_.size() / 2) {
    bytes_.erase(0, dropped_);
    dropped_ = 0;
  }
}

}  // namespace hearwire::client
