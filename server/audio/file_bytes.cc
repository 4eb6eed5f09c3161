#include "server/audio/file_bytes.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace hearwire {

int64_t FileBytes::Read(int64_t offset, char* out, int64_t count) {
  int64_t done = 0;
  if (offset < head_size()) {
    done = std::min(count, head_size() - offset);
    std::memcpy(out, head_.data() + offset, done);
  }
  if (done < count) done += ReadBody(offset + done - head_size(), out + done, count - done);
  return done;
}

int64_t PlainBytes::ReadBody(int64_t offset, char* out, int64_t count) {
  const int64_t piece = std::min(count, static_cast<int64_t>(body_.size()) - offset);
  if (piece <= 0) return 0;
  std::memcpy(out, body_.data() + offset, piece);
  return piece;
}

int64_t OggFlacBytes::ReadBody(int64_t offset, char* out, int64_t count) {
  if (offset < offset_) {
    packets_ = OggPackets(pages_);
    packet_ = {};
    is_in_frames_ = false;
    offset_ = 0;
  }
  int64_t done = 0;
  while (done < count) {
    if (packet_.empty()) {
      const std::optional<OggPacket> packet = packets_.Next();
      if (!packet) break;
      // Frames begin with this byte, and no metadata does.
      is_in_frames_ = is_in_frames_ || packet->bytes.starts_with('\xff');
      if (is_in_frames_) packet_ = packet->bytes;
      continue;
    }
    const auto left = static_cast<int64_t>(packet_.size());
    const int64_t passed = std::min(left, offset > offset_ ? offset - offset_ : 0);
    const int64_t piece = std::min(left - passed, count - done);
    std::memcpy(out + done, packet_.data() + passed, piece);
    packet_.remove_prefix(passed + piece);
    offset_ += passed + piece;
    offset = offset_;
    done += piece;
  }
  return done;
}

}  // namespace hearwire
