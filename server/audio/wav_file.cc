#include "server/audio/wav_file.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/audio/sample_source.h"
#include "server/audio/wav_form.h"

namespace hearwire {
namespace {

constexpr uint32_t kUnknownLength = 0xffffffff;
constexpr uint32_t kUnknownLengthOfSox = 0x7ffff000;

// Whether they are RIFF chunks and nothing else. Samples do not look like kMaxChunks chunks in a row.
bool AreChunks(std::string_view bytes, std::endian order) {
  for (int chunk = 0; bytes.size() >= 8; ++chunk) {
    if (chunk == kMaxChunks) return true;
    if (!std::all_of(bytes.begin(), bytes.begin() + 4, absl::ascii_isprint)) return false;
    const uint64_t length = ReadNumber<uint32_t>(bytes, 4, order);
    if (length > bytes.size() - 8) return false;
    bytes.remove_prefix(std::min<uint64_t>(8 + length + length % 2, bytes.size()));
  }
  return bytes.empty();
}

// rest: what follows the data chunk's head. claimed: its length; nothing: its writer did not know.
absl::StatusOr<SampleFile> TakeData(const WavForm& form, std::string_view rest, std::optional<uint64_t> claimed) {
  if (claimed && *claimed > rest.size()) {
    return CutOffBytesError(rest.size(), *claimed, static_cast<double>(form.bytes_per_second));
  }
  return MakeWavSampleFile(form, rest.substr(0, claimed.value_or(rest.size())));
}

// Of a chunk that stands where a data chunk is due.
absl::Status LongChunkError(uint64_t claimed, size_t left) {
  return WavHeaderError("a chunk claims ", claimed, " bytes, and ", left, " are left, before any data chunk");
}

absl::Status ManyChunksError() { return WavHeaderError("more than ", kMaxChunks, " chunks before any data chunk"); }

absl::Status NoDataError(bool has_form) { return WavHeaderError(has_form ? "no data chunk" : "no fmt chunk"); }

}  // namespace

absl::StatusOr<SampleFile> ParseWavFile(std::string_view bytes) {
  const std::endian order = bytes.starts_with("RIFX") ? std::endian::big : std::endian::little;
  const auto read32 = [&](size_t offset) { return ReadNumber<uint32_t>(bytes, offset, order); };
  const bool has_long_lengths = bytes.starts_with("RF64") || bytes.starts_with("BW64");
  const bool riff_covers_file = uint64_t{read32(4)} + 8 == bytes.size();
  std::optional<WavForm> form;
  uint64_t long_data_length = 0;
  size_t offset = 12;
  for (int chunks = 0; bytes.size() - offset >= 8; ++chunks) {
    const std::string_view id = bytes.substr(offset, 4);
    const uint32_t claimed = read32(offset + 4);
    offset += 8;
    const std::string_view rest = bytes.substr(offset);
    if (id == "data") {
      if (!form) return WavHeaderError("no fmt chunk before the data chunk");
      if (claimed == kUnknownLength && has_long_lengths && long_data_length != 0 && long_data_length != UINT64_MAX) {
        return TakeData(*form, rest, long_data_length);
      }
      const bool is_stream = claimed == kUnknownLength ||
                             (claimed == 0 && !(riff_covers_file && AreChunks(rest, order))) ||
                             (claimed <= kUnknownLengthOfSox && claimed + form->block_bytes > kUnknownLengthOfSox);
      return TakeData(*form, rest, is_stream ? std::nullopt : std::optional<uint64_t>(claimed));
    }
    if (chunks == kMaxChunks) return ManyChunksError();
    if (claimed > rest.size()) return LongChunkError(claimed, rest.size());
    if (id == "fmt " && !form) {
      absl::StatusOr<WavForm> parsed = ParseWavForm(rest.substr(0, claimed), order);
      if (!parsed.ok()) return parsed.status();
      form = *parsed;
    } else if (id == "ds64" && claimed >= 16) {
      long_data_length = ReadNumber<uint64_t>(rest, 8, order);
    }
    offset += std::min<size_t>(rest.size(), size_t{claimed} + claimed % 2);
  }
  return NoDataError(form.has_value());
}

absl::StatusOr<SampleFile> ParseW64File(std::string_view bytes) {
  // Chunks have names of 16 bytes, of which four tell them apart here, and begin at multiples of 8.
  constexpr size_t kHeadBytes = 24;
  std::optional<WavForm> form;
  size_t offset = std::min<size_t>(40, bytes.size());
  for (int chunks = 0; bytes.size() - offset >= kHeadBytes; ++chunks) {
    const std::string_view id = bytes.substr(offset, 4);
    const auto with_head = ReadNumber<uint64_t>(bytes, offset + 16, std::endian::little);
    offset += kHeadBytes;
    const std::string_view rest = bytes.substr(offset);
    const bool is_unknown = with_head == 0 || with_head >= INT64_MAX;
    if (!is_unknown && with_head < kHeadBytes) return WavHeaderError("a chunk of ", with_head, " bytes with its head");
    const uint64_t claimed = with_head - kHeadBytes;
    if (id == "data") {
      if (!form) return WavHeaderError("no fmt chunk before the data chunk");
      // A chunk of nothing but its head is what a writer leaves that could not go back.
      return TakeData(*form, rest, is_unknown || claimed == 0 ? std::nullopt : std::optional<uint64_t>(claimed));
    }
    if (chunks == kMaxChunks) return ManyChunksError();
    if (is_unknown || claimed > rest.size()) return LongChunkError(claimed, rest.size());
    if (id == "fmt " && !form) {
      absl::StatusOr<WavForm> parsed = ParseWavForm(rest.substr(0, claimed), std::endian::little);
      if (!parsed.ok()) return parsed.status();
      form = *parsed;
    }
    offset += std::min<uint64_t>(rest.size(), (claimed + 7) / 8 * 8);
  }
  return NoDataError(form.has_value());
}

}  // namespace hearwire
