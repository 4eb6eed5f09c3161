#include "server/audio/flac_file.h"

#include <algorithm>
#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

using namespace std::string_view_literals;

constexpr size_t kMagicBytes = 4;
constexpr size_t kBlockHeadBytes = 4;
constexpr uint64_t kLastBlock = 0x80;
constexpr uint64_t kStreamInfo = 0;
constexpr size_t kStreamInfoBytes = 34;

// Big-endian.
uint64_t Read(std::string_view bytes, size_t offset, size_t count) {
  uint64_t value = 0;
  for (size_t i = offset; i < offset + count; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

}  // namespace

absl::StatusOr<FlacFile> ParseFlacFile(std::string_view bytes) {
  std::string_view rest = bytes.substr(kMagicBytes);
  std::string_view stream_info;
  for (int block = 0;; ++block) {
    if (block == kMaxFlacBlocks) {
      return absl::InvalidArgumentError(
          absl::StrCat("the header of the FLAC file is damaged: more than ", kMaxFlacBlocks, " blocks of metadata"));
    }
    const bool has_head = rest.size() >= kBlockHeadBytes;
    const uint64_t kind = has_head ? Read(rest, 0, 1) : kLastBlock;
    const uint64_t length = has_head ? Read(rest, 1, 3) : 0;
    rest.remove_prefix(std::min(rest.size(), kBlockHeadBytes));
    if (block == 0) {
      stream_info = rest.substr(0, std::min<size_t>(length, kStreamInfoBytes));
      if ((kind & ~kLastBlock) != kStreamInfo || stream_info.size() < kStreamInfoBytes) {
        return absl::InvalidArgumentError("the header of the FLAC file is damaged: it begins with no STREAMINFO block");
      }
    }
    // Of a file that is cut off here, decoding finds fewer samples than it claims, and says so.
    rest.remove_prefix(std::min<size_t>(rest.size(), length));
    if ((kind & kLastBlock) != 0) break;
  }
  // Behind the sizes of blocks and frames: 20 bits of rate, 3 of channels less 1, 5 of bits, 36 of samples.
  const uint64_t packed = Read(stream_info, 10, 8);
  FlacFile file;
  file.header.append("fLaC\x80\0\0\x22"sv).append(stream_info);
  file.frames = rest;
  file.sample_rate_hz = static_cast<int64_t>(packed >> 44);
  file.channel_count = static_cast<int64_t>(packed >> 41 & 7) + 1;
  if (const auto samples = static_cast<int64_t>(packed & ((uint64_t{1} << 36) - 1)); samples > 0) {
    file.sample_count = samples;
  }
  return file;
}

}  // namespace hearwire
