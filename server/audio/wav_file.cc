#include "server/audio/wav_file.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/audio/sample_source.h"

namespace hearwire {
namespace {

enum Encoding : uint16_t {
  kPcm = 0x0001,
  kMsAdpcm = 0x0002,
  kFloat = 0x0003,
  kALaw = 0x0006,
  kMuLaw = 0x0007,
  kImaAdpcm = 0x0011,
  kGsm610 = 0x0031,
  kExtensible = 0xfffe,
};

constexpr uint32_t kUnknownLength = 0xffffffff;
constexpr uint32_t kUnknownLengthOfSox = 0x7ffff000;
constexpr size_t kMaxFmtBytes = 1024;

template <typename Integer>
Integer Read(std::string_view bytes, size_t offset) {
  Integer value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

void WriteChunkHead(std::string_view id, size_t length, std::string* out) {
  const auto length_field = static_cast<uint32_t>(length);
  out->append(id);
  out->append(reinterpret_cast<const char*>(&length_field), sizeof(length_field));
}

struct Fmt {
  std::string_view bytes;
  uint16_t encoding;  // Never kExtensible.
  uint16_t channel_count;
  uint32_t sample_rate_hz;
  uint32_t bytes_per_second;
  uint16_t block_bytes;
  uint16_t bits;

  bool is_block_coded() const { return encoding == kMsAdpcm || encoding == kImaAdpcm || encoding == kGsm610; }
  double Seconds(uint64_t data_bytes) const {
    const double rate =
        is_block_coded() ? bytes_per_second : static_cast<double>(sample_rate_hz) * static_cast<double>(block_bytes);
    return rate > 0 ? static_cast<double>(data_bytes) / rate : 0;
  }
};

template <typename... Parts>
absl::Status HeaderError(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("the WAV header is wrong: ", parts...));
}

absl::Status CheckBits(const Fmt& fmt) {
  bool accepted = true;
  const char* right = "";
  switch (fmt.encoding) {
    case kPcm:
      accepted = fmt.bits == 8 || fmt.bits == 16 || fmt.bits == 24 || fmt.bits == 32;
      right = "8, 16, 24 or 32";
      break;
    case kFloat:
      accepted = fmt.bits == 32 || fmt.bits == 64;
      right = "32 or 64";
      break;
    case kALaw:
    case kMuLaw:
      accepted = fmt.bits == 8;
      right = "8";
      break;
    case kMsAdpcm:
    case kImaAdpcm:
    case kGsm610:
      return fmt.block_bytes > 0 ? absl::OkStatus() : HeaderError("blocks of 0 bytes");
    default:
      return absl::InvalidArgumentError(
          absl::StrFormat("WAV encoding 0x%04x is not accepted; PCM, float, A-law, mu-law, MS ADPCM, IMA ADPCM and GSM "
                          "6.10 are",
                          fmt.encoding));
  }
  if (!accepted) return HeaderError(fmt.bits, " bits per value; it can be ", right);
  if (fmt.block_bytes != fmt.channel_count * fmt.bits / 8) {
    return HeaderError("a sample of ", fmt.channel_count, " channels of ", fmt.bits, " bits has ",
                       fmt.channel_count * fmt.bits / 8, " bytes, not ", fmt.block_bytes);
  }
  return absl::OkStatus();
}

absl::StatusOr<Fmt> ParseFmt(std::string_view bytes) {
  if (bytes.size() < 16 || bytes.size() > kMaxFmtBytes) {
    return HeaderError("a fmt chunk of ", bytes.size(), " bytes; 16 to ", kMaxFmtBytes, " are possible");
  }
  Fmt fmt = {bytes,
             Read<uint16_t>(bytes, 0),
             Read<uint16_t>(bytes, 2),
             Read<uint32_t>(bytes, 4),
             Read<uint32_t>(bytes, 8),
             Read<uint16_t>(bytes, 12),
             Read<uint16_t>(bytes, 14)};
  if (fmt.encoding == kExtensible) {
    if (bytes.size() < 40) return HeaderError("an extensible fmt chunk of ", bytes.size(), " bytes; it has 40");
    fmt.encoding = Read<uint16_t>(bytes, 24);
  }
  if (fmt.channel_count == 0) return HeaderError("0 channels");
  if (fmt.sample_rate_hz == 0) return HeaderError("a sample rate of 0 Hz");
  const absl::Status status = CheckBits(fmt);
  if (!status.ok()) return status;
  return fmt;
}

// Whether they are RIFF chunks and nothing else. Samples do not look like kMaxWavChunks chunks in a row.
bool AreChunks(std::string_view bytes) {
  for (int chunk = 0; bytes.size() >= 8; ++chunk) {
    if (chunk == kMaxWavChunks) return true;
    if (!std::all_of(bytes.begin(), bytes.begin() + 4, absl::ascii_isprint)) return false;
    const uint64_t length = Read<uint32_t>(bytes, 4);
    if (length > bytes.size() - 8) return false;
    bytes.remove_prefix(std::min<uint64_t>(8 + length + length % 2, bytes.size()));
  }
  return bytes.empty();
}

// The length of a data chunk that claims `claimed` bytes. rest: what follows its head.
absl::StatusOr<size_t> DataLength(const Fmt& fmt, uint32_t claimed, std::string_view rest, bool riff_covers_file) {
  const size_t available = rest.size();
  const bool is_stream = claimed == kUnknownLength || (claimed == 0 && !(riff_covers_file && AreChunks(rest))) ||
                         (claimed <= kUnknownLengthOfSox && claimed + fmt.block_bytes > kUnknownLengthOfSox);
  if (is_stream) return std::min<size_t>(available, kUnknownLength - 2 * kMaxFmtBytes);
  if (claimed > available) return CutOffError(fmt.Seconds(available), fmt.Seconds(claimed));
  return claimed;
}

// `data`: the data chunk as far as it goes.
absl::StatusOr<WavFile> MakeWavFile(const Fmt& fmt, std::string_view data) {
  WavFile file;
  file.sample_rate_hz = fmt.sample_rate_hz;
  file.channel_count = fmt.channel_count;
  // A part of a sample at the end is ignored, as everywhere.
  file.samples = fmt.is_block_coded() ? data : data.substr(0, data.size() - data.size() % fmt.block_bytes);
  if (file.samples.empty()) return absl::InvalidArgumentError("the WAV file has no samples");
  if (!fmt.is_block_coded()) file.sample_count = static_cast<int64_t>(file.samples.size() / fmt.block_bytes);
  const size_t fmt_padding = fmt.bytes.size() % 2;
  WriteChunkHead("RIFF", 4 + 8 + fmt.bytes.size() + fmt_padding + 8 + file.samples.size(), &file.header);
  file.header += "WAVE";
  WriteChunkHead("fmt ", fmt.bytes.size(), &file.header);
  file.header.append(fmt.bytes).append(fmt_padding, '\0');
  WriteChunkHead("data", file.samples.size(), &file.header);
  return file;
}

}  // namespace

absl::StatusOr<WavFile> ParseWavFile(std::string_view bytes) {
  std::optional<Fmt> fmt;
  const uint64_t riff_end = uint64_t{Read<uint32_t>(bytes, 4)} + 8;
  int chunks = 0;
  for (size_t offset = 12; bytes.size() - offset >= 8; ++chunks) {
    const std::string_view id = bytes.substr(offset, 4);
    const auto claimed = Read<uint32_t>(bytes, offset + 4);
    offset += 8;
    const size_t available = bytes.size() - offset;
    if (id == "data") {
      if (!fmt) return HeaderError("no fmt chunk before the data chunk");
      const absl::StatusOr<size_t> length = DataLength(*fmt, claimed, bytes.substr(offset), riff_end == bytes.size());
      if (!length.ok()) return length.status();
      return MakeWavFile(*fmt, bytes.substr(offset, *length));
    }
    if (chunks == kMaxWavChunks) return HeaderError("more than ", kMaxWavChunks, " chunks before any data chunk");
    if (claimed > available) {
      return HeaderError("a chunk claims ", claimed, " bytes, and ", available, " are left, before any data chunk");
    }
    if (id == "fmt " && !fmt) {
      absl::StatusOr<Fmt> parsed = ParseFmt(bytes.substr(offset, claimed));
      if (!parsed.ok()) return parsed.status();
      fmt = *parsed;
    }
    offset += std::min<size_t>(available, size_t{claimed} + claimed % 2);
  }
  return HeaderError(fmt ? "no data chunk" : "no fmt chunk");
}

}  // namespace hearwire
