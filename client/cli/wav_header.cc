#include "client/cli/wav_header.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hearwire::cli {
namespace {

using Encoding = SampleFormat::Encoding;

constexpr size_t kMostHeaderBytes = size_t{16} << 20;  // With pictures and lyrics before the samples.
constexpr uint32_t kAllOnes = 0xffffffff;
constexpr uint32_t kUnknownLength = 0x7fff'0000;
constexpr uint16_t kPcm = 1;
constexpr uint16_t kFloat = 3;
constexpr uint16_t kExtensible = 0xfffe;

template <typename Value>
Value At(std::string_view bytes, size_t offset) {
  Value value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

absl::StatusOr<SampleFormat> ParseFormat(std::string_view chunk) {
  if (chunk.size() < 16) return absl::InvalidArgumentError("its WAV format is cut off");
  auto tag = At<uint16_t>(chunk, 0);
  const auto channels = At<uint16_t>(chunk, 2);
  const auto rate = At<uint32_t>(chunk, 4);
  const auto bits = At<uint16_t>(chunk, 14);
  if (tag == kExtensible && chunk.size() >= 26) tag = At<uint16_t>(chunk, 24);  // The sub-format's first bytes.
  std::optional<Encoding> encoding;
  if (tag == kPcm && bits == 8) encoding = Encoding::kU8;
  if (tag == kPcm && bits == 16) encoding = Encoding::kS16;
  if (tag == kPcm && bits == 24) encoding = Encoding::kS24;
  if (tag == kPcm && bits == 32) encoding = Encoding::kS32;
  if (tag == kFloat && bits == 32) encoding = Encoding::kF32;
  if (tag == kFloat && bits == 64) encoding = Encoding::kF64;
  if (!encoding) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "its WAV encoding (0x%04x, %d bits) is not PCM of 8, 16, 24 or 32 bits or floats: ffmpeg -i FILE -f wav - "
        "makes such",
        tag, bits));
  }
  if (channels < 1 || channels > 32 || rate < 1000 || rate > 384'000) {
    return absl::InvalidArgumentError(absl::StrCat("its WAV header says ", channels, " channels at ", rate,
                                                   " Hz: 1 to 32 channels at 1000 to 384000 Hz would be right"));
  }
  return SampleFormat{*encoding, static_cast<int>(rate), channels};
}

}  // namespace

absl::StatusOr<std::optional<WavHeader>> ParseWavHeader(std::string_view start) {
  constexpr size_t kRiffBytes = 12;
  const std::string_view kind = start.substr(0, 4);
  const bool is_64 = kind == "RF64";
  const bool may_be = std::string_view("RIFF").starts_with(kind) || std::string_view("RF64").starts_with(kind);
  if (!may_be || (start.size() >= kRiffBytes && start.substr(8, 4) != "WAVE")) {
    return absl::InvalidArgumentError(
        "is no WAV file: --rate says that it is raw samples; ffmpeg -i FILE -f wav - | hearwire stream - takes others");
  }
  std::optional<SampleFormat> format;
  std::optional<uint64_t> data_bytes_64;
  for (size_t at = kRiffBytes; at + 8 <= start.size();) {
    const std::string_view name = start.substr(at, 4);
    const auto size = At<uint32_t>(start, at + 4);
    at += 8;
    if (name == "data") {
      if (!format) return absl::InvalidArgumentError("its WAV header has no format before the samples");
      uint64_t length = size;
      if (is_64 && size == kAllOnes) length = data_bytes_64.value_or(0);
      const bool known = length != 0 && length < (is_64 ? uint64_t{1} << 62 : kUnknownLength);
      return WavHeader{*format, at, known ? std::optional(static_cast<int64_t>(length)) : std::nullopt};
    }
    const size_t padded = size_t{size} + (size & 1);
    if (padded > kMostHeaderBytes || at + padded > kMostHeaderBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("its WAV header has more than ", kMostHeaderBytes >> 20, " MiB before the samples"));
    }
    if (at + padded > start.size()) return std::nullopt;
    if (name == "fmt ") {
      const absl::StatusOr<SampleFormat> parsed = ParseFormat(start.substr(at, size));
      if (!parsed.ok()) return parsed.status();
      format = *parsed;
    } else if (name == "ds64" && size >= 16) {
      data_bytes_64 = At<uint64_t>(start, at + 8);
    }
    at += padded;
  }
  return std::nullopt;
}

}  // namespace hearwire::cli
