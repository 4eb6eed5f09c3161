#include "server/audio/ogg_packets.h"

#include <algorithm>

namespace hearwire {
namespace {

constexpr size_t kMaxKeptBytes = size_t{64} << 10;
constexpr uint8_t kFullSegment = 255;  // The packet goes on in the next one.

uint8_t Byte(std::string_view bytes, size_t i) { return static_cast<uint8_t>(bytes[i]); }

}  // namespace

bool OggPackets::NextPage() {
  if (rest_.empty()) return false;
  const uint32_t number = page_.number + 1;
  const bool is_next = has_page_;
  const std::optional<OggPage> page = ReadOggPage(rest_);
  if (!page) return false;
  page_ = *page;
  has_page_ = true;
  rest_.remove_prefix(std::min<size_t>(rest_.size(), page_.bytes));
  segment_ = 0;
  body_offset_ = 0;
  last_end_ = page_.segments().size();
  while (last_end_ > 0 && Byte(page_.segments(), last_end_ - 1) == kFullSegment) --last_end_;
  if (!is_next || page_.number != number || !page_.continues_packet) has_part_ = false;
  if (page_.continues_packet && !has_part_) {
    // What it goes on with is lost.
    const std::string_view segments = page_.segments();
    while (segment_ < segments.size()) {
      const uint8_t length = Byte(segments, segment_++);
      body_offset_ += length;
      if (length != kFullSegment) break;
    }
  }
  return true;
}

std::optional<OggPacket> OggPackets::Next() {
  if (gave_part_) {
    // A header with a picture is not kept.
    if (part_.capacity() > kMaxKeptBytes) part_ = std::string();
    part_.clear();
    has_part_ = gave_part_ = false;
  }
  while (true) {
    if (!has_page_ || segment_ == page_.segments().size()) {
      if (!NextPage()) return std::nullopt;
      continue;
    }
    const std::string_view segments = page_.segments();
    const size_t begin = body_offset_;
    bool ends = false;
    while (segment_ < segments.size() && !ends) {
      const uint8_t length = Byte(segments, segment_++);
      body_offset_ += length;
      ends = length != kFullSegment;
    }
    const std::string_view bytes = page_.body.substr(begin, body_offset_ - begin);
    if (!has_part_) part_.clear();
    if (has_part_ || !ends) {
      if (part_.size() + bytes.size() > kMaxPacketBytes) {
        is_faulty_ = true;
        rest_ = {};
        segment_ = segments.size();
        return std::nullopt;
      }
      part_.append(bytes);
      has_part_ = true;
    }
    if (!ends) continue;
    gave_part_ = has_part_;
    const bool is_last = segment_ == last_end_;
    return OggPacket{has_part_ ? std::string_view(part_) : bytes, is_last && page_.position > 0 ? page_.position : -1};
  }
}

OggSpan FindOggSpan(OggPackets packets, int64_t last_position,
                    const std::function<int64_t(std::string_view packet)>& units) {
  int64_t sum = 0;
  if (last_position <= 0) return {};
  for (int i = 0; i < kMaxSpanPackets; ++i) {
    const std::optional<OggPacket> packet = packets.Next();
    if (!packet) return {0, last_position, 0};
    sum += std::max<int64_t>(0, units(packet->bytes));
    if (packet->position < 0) continue;
    if (packet->position >= sum) return {packet->position - sum, last_position, 0};
    // On its only page, the surplus is at the end.
    return {0, last_position, packet->position == last_position ? 0 : sum - packet->position};
  }
  return {};
}

}  // namespace hearwire
