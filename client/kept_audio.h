// The audio of a stream that has not been sent, or may have to be sent again.

#ifndef HEARWIRE_CLIENT_KEPT_AUDIO_H_
#define HEARWIRE_CLIENT_KEPT_AUDIO_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hearwire::client {

// A run of bytes at the end of all that were appended. Offsets count from the first byte ever appended. Not
// thread-safe.
class KeptAudio {
 public:
  int64_t begin() const { return begin_; }
  int64_t end() const { return begin_ + size(); }
  int64_t size() const { return static_cast<int64_t>(bytes_.size() - dropped_); }

  void Append(std::string_view bytes) { bytes_.append(bytes); }

  // From `offset`, which is begin() to end(), at most `most` bytes. Valid until the next change.
  std::string_view Piece(int64_t offset, int64_t most) const {
    return std::string_view(bytes_).substr(dropped_ + static_cast<size_t>(offset - begin_), static_cast<size_t>(most));
  }

  // An offset before begin() or after end() counts as that.
  void DropBefore(int64_t offset);

 private:
  std::string bytes_;
  size_t dropped_ = 0;  // Of bytes_, at its front: they are moved away when they are the larger part.
  int64_t begin_ = 0;
};

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_KEPT_AUDIO_H_
