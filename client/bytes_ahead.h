// How much audio of a stream may be on its way, where a proxy between bounds it (StreamTaken in the proto).

#ifndef HEARWIRE_CLIENT_BYTES_AHEAD_H_
#define HEARWIRE_CLIENT_BYTES_AHEAD_H_

#include <algorithm>
#include <cstdint>
#include <limits>

namespace hearwire::client {

// Offsets count the bytes of the stream's audio. Not thread-safe.
class BytesAhead {
 public:
  // What the buffers of any proxy hold: the bound of a call of which nothing is known yet.
  static constexpr int64_t kUntilKnown = 16 << 10;
  static constexpr int64_t kNoBound = std::numeric_limits<int64_t>::max();

  // The stream's next call sends from this offset on.
  void OnNewCall(int64_t begin) {
    begin_ = taken_ = begin;
    most_ = kUntilKnown;
  }

  // The server has told the call's bound, or kNoBound.
  void OnBound(int64_t most) { most_ = most; }

  // The server has taken so many bytes of the call's in all.
  void OnTaken(int64_t bytes) { taken_ = std::max(taken_, begin_ + bytes); }

  // How many of the next `wanted` bytes may be sent when all before the offset `sent` were. Where the server takes
  // little by little, 0 until a quarter of the bound is free: few large pieces follow, not many small ones.
  int64_t MaySend(int64_t sent, int64_t wanted) const {
    const int64_t room = std::max(most_ - (sent - taken_), int64_t{0});
    if (room < wanted && room < most_ / 4) return 0;
    return std::min(room, wanted);
  }

  int64_t begin() const { return begin_; }

 private:
  int64_t begin_ = 0;
  int64_t taken_ = 0;
  int64_t most_ = kUntilKnown;
};

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_BYTES_AHEAD_H_
