#include "server/audio/mp3_frames.h"

#include <algorithm>
#include <bit>

#include "server/audio/read_number.h"

namespace hearwire {
namespace {

constexpr size_t kHeaderBytes = 4;
// Sync, version, layer and sample rate, which do not change within a stream.
constexpr uint32_t kSameMask = 0xfffe0c00;
constexpr uint32_t kBitRateMask = 0x0000f000;
// 640 kbit/s at 8 kHz.
constexpr size_t kMaxFreeFormatBytes = 6000;
// Each is looked for through kMaxFreeFormatBytes.
constexpr int kMaxFreeFormatTrials = 16;

constexpr int kKilobitsOfMpeg1[] = {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320};
constexpr int kKilobitsOfMpeg2[] = {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160};
constexpr int kRatesHz[] = {44100, 48000, 32000};

uint32_t ReadBig32(std::string_view bytes, size_t offset) {
  return ReadNumber<uint32_t>(bytes, offset, std::endian::big);
}

// Nothing beyond the end.
std::optional<uint32_t> HeaderAt(std::string_view bytes, size_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < kHeaderBytes) return std::nullopt;
  return ReadBig32(bytes, offset);
}

bool IsLike(uint32_t header, uint32_t other) { return ((header ^ other) & kSameMask) == 0; }

// Whether a frame like `header` begins at `offset`, and another one behind it, or the file ends there.
bool IsFollowed(std::string_view bytes, size_t offset, uint32_t header) {
  const std::optional<uint32_t> next = HeaderAt(bytes, offset);
  if (!next || !IsLike(*next, header)) return false;
  const std::optional<MpegFrame> frame = ReadMpegFrame(bytes.substr(offset));
  if (!frame || frame->bytes == 0) return false;
  const std::optional<uint32_t> third = HeaderAt(bytes, offset + frame->bytes);
  return !third || (IsLike(*third, header) && ReadMpegFrame(bytes.substr(offset + frame->bytes)));
}

// Of a frame at the front, without header and padding; 0: no frames like it follow.
size_t FindFreeFormatBytes(std::string_view bytes, uint32_t header, int padding) {
  for (size_t distance = 24; distance < kMaxFreeFormatBytes; ++distance) {
    const std::optional<uint32_t> next = HeaderAt(bytes, distance);
    if (!next) return 0;
    if (!IsLike(*next, header) || (*next & kBitRateMask) != 0) continue;
    const size_t plain = distance - padding;
    const std::optional<uint32_t> third = HeaderAt(bytes, distance + plain + (*next >> 9 & 1));
    if (!third || (IsLike(*third, header) && (*third & kBitRateMask) == 0)) return plain - kHeaderBytes;
  }
  return 0;
}

// An APE tag in front, with its header.
size_t ApeTagBytes(std::string_view bytes) {
  constexpr size_t kApeHeaderBytes = 32;
  if (bytes.size() < kApeHeaderBytes || !bytes.starts_with("APETAGEX")) return 0;
  return kApeHeaderBytes + ReadNumber<uint32_t>(bytes, 12, std::endian::little);  // The size is without the header.
}

// Reads the tag, if the first frame is one.
void ReadTag(const MpegFrame& frame, Mp3Start* start) {
  const std::string_view bytes = start->frames;
  const auto claim = [&](uint32_t frames) { start->claimed_frames = frames; };
  const auto claim_bytes = [&](uint32_t claimed) { start->has_claimed_bytes = bytes.size() >= claimed; };
  constexpr size_t kVbri = kHeaderBytes + 32;
  if (bytes.size() >= kVbri + 18 && bytes.substr(kVbri, 4) == "VBRI" && frame.bytes > 0) {
    claim_bytes(ReadBig32(bytes, kVbri + 10));
    claim(ReadBig32(bytes, kVbri + 14));
    start->is_vbri = true;
    start->frames.remove_prefix(std::min(bytes.size(), frame.bytes));
    return;
  }
  const size_t info = kHeaderBytes + (frame.is_mpeg1 ? (frame.is_mono ? 17 : 32) : (frame.is_mono ? 9 : 17));
  if (bytes.size() < info + 16) return;
  const std::string_view name = bytes.substr(info, 4);
  if (name != "Xing" && name != "Info") return;
  const uint32_t flags = ReadBig32(bytes, info + 4);
  size_t field = info + 8;
  if ((flags & 1) != 0) {
    claim(ReadBig32(bytes, field));
    field += 4;
  }
  if ((flags & 2) != 0) claim_bytes(ReadBig32(bytes, field));
}

Mp3Start StartAt(std::string_view bytes, const MpegFrame& frame, size_t free_format_bytes) {
  Mp3Start start;
  start.frames = bytes;
  start.free_format_bytes = free_format_bytes;
  start.frame_samples = frame.samples;
  ReadTag(frame, &start);
  return start;
}

}  // namespace

std::optional<MpegFrame> ReadMpegFrame(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  const uint32_t header = ReadBig32(bytes, 0);
  const uint32_t version = header >> 19 & 3;  // 0: 2.5, 2: 2, 3: 1.
  const uint32_t layer = header >> 17 & 3;
  const uint32_t bit_rate = header >> 12 & 15;
  const uint32_t rate = header >> 10 & 3;
  if (header >> 21 != 0x7ff || version == 1 || layer == 0 || bit_rate == 15 || rate == 3) return std::nullopt;
  MpegFrame frame;
  frame.layer = static_cast<int>(4 - layer);
  frame.is_mpeg1 = version == 3;
  frame.is_mono = (header >> 6 & 3) == 3;
  frame.padding = static_cast<int>(header >> 9 & 1);
  frame.samples = frame.is_mpeg1 ? 1152 : 576;
  if (frame.layer == 3 && bit_rate != 0) {
    const int rate_hz = kRatesHz[rate] >> (version == 3 ? 0 : version == 2 ? 1 : 2);
    const int kilobits = (frame.is_mpeg1 ? kKilobitsOfMpeg1 : kKilobitsOfMpeg2)[bit_rate];
    frame.bytes = static_cast<size_t>(frame.samples / 8 * kilobits * 1000 / rate_hz + frame.padding);
  }
  return frame;
}

std::optional<Mp3Start> FindMp3(std::string_view bytes) {
  bytes.remove_prefix(std::min(bytes.size(), ApeTagBytes(bytes)));
  int trials = 0;
  for (size_t offset = 0; offset < std::min(bytes.size(), kMaxMp3Junk); ++offset) {
    if (bytes[offset] != '\xff') continue;
    const std::string_view rest = bytes.substr(offset);
    const std::optional<MpegFrame> frame = ReadMpegFrame(rest);
    if (!frame || frame->layer != 3) continue;
    const uint32_t header = ReadBig32(rest, 0);
    if (frame->bytes > 0) {
      if (IsFollowed(rest, frame->bytes, header)) return StartAt(rest, *frame, 0);
    } else if (trials++ < kMaxFreeFormatTrials) {
      if (const size_t plain = FindFreeFormatBytes(rest, header, frame->padding)) return StartAt(rest, *frame, plain);
    }
  }
  const std::optional<MpegFrame> first = ReadMpegFrame(bytes);
  if (!first || first->layer != 3 || first->bytes == 0) return std::nullopt;
  return StartAt(bytes, *first, 0);
}

}  // namespace hearwire
