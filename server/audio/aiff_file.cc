#include "server/audio/aiff_file.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/audio/sample_form.h"

namespace hearwire {
namespace {

using Coding = SampleForm::Coding;

template <typename Number>
Number Read(std::string_view bytes, size_t offset) {
  return ReadNumber<Number>(bytes, offset, std::endian::big);
}

template <typename... Parts>
absl::Status HeaderError(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("the AIFF header is wrong: ", parts...));
}

struct Common {
  SampleForm form;
  uint64_t frames = 0;  // Samples, as this format calls them.
};

// An 80-bit float: sign and exponent, then 64 bits of which the first stands for 1.
double ReadExtended(std::string_view bytes, size_t offset) {
  const auto exponent = Read<uint16_t>(bytes, offset);
  const auto mantissa = static_cast<double>(Read<uint64_t>(bytes, offset + 2));
  return (exponent & 0x8000) != 0 ? -1 : std::ldexp(mantissa, exponent - 16383 - 63);
}

// kind: four characters of AIFF-C.
absl::Status SetCoding(std::string_view kind, int64_t bits, SampleForm* form) {
  form->order = std::endian::big;
  form->coding = Coding::kSigned;
  form->bytes_per_value = BytesPerInteger(bits);
  const bool is_reversed = kind.starts_with("42n") || kind.starts_with("23n");
  if (kind == "sowt") {
    form->order = std::endian::little;
  } else if (is_reversed) {  // in24 and in32 backwards; some write a 1 for the i.
    form->order = std::endian::little;
    form->bytes_per_value = kind.starts_with("42") ? 3 : 4;
  } else if (kind == "in24" || kind == "in32") {
    form->bytes_per_value = kind == "in24" ? 3 : 4;
  } else if (kind == "fl32" || kind == "FL32" || kind == "fl64" || kind == "FL64") {
    form->coding = Coding::kFloat;
    form->bytes_per_value = kind.ends_with("32") ? 4 : 8;
  } else if (kind == "alaw" || kind == "ALAW" || kind == "ulaw" || kind == "ULAW") {
    form->coding = kind == "alaw" || kind == "ALAW" ? Coding::kALaw : Coding::kMuLaw;
    form->bytes_per_value = 1;
  } else if (kind == "raw " && form->bytes_per_value == 1) {
    form->coding = Coding::kUnsigned;
  } else if (kind != "NONE" && kind != "twos") {
    return EncodingError("AIFF-C", kind);
  }
  if (form->bytes_per_value == 0) return HeaderError(bits, " bits per value; it can be 8 to 32");
  return absl::OkStatus();
}

absl::StatusOr<Common> ParseCommon(std::string_view bytes, bool is_aifc) {
  const size_t least = is_aifc ? 22 : 18;
  if (bytes.size() < least) return HeaderError("a COMM chunk of ", bytes.size(), " bytes; it has ", least, " at least");
  Common common;
  common.form.channel_count = Read<uint16_t>(bytes, 0);
  common.frames = Read<uint32_t>(bytes, 2);
  const double rate_hz = ReadExtended(bytes, 8);
  if (!(rate_hz >= 1 && rate_hz < 4e9)) return HeaderError("a sample rate of ", rate_hz, " Hz");
  common.form.sample_rate_hz = std::llround(rate_hz);
  if (common.form.channel_count == 0) return HeaderError("0 channels");
  const std::string_view kind = is_aifc ? bytes.substr(18, 4) : "NONE";
  if (absl::Status status = SetCoding(kind, Read<uint16_t>(bytes, 6), &common.form); !status.ok()) return status;
  return common;
}

// What the sound chunk holds; `rest` goes on to the end of the file.
struct SoundData {
  std::string_view rest;
  uint64_t claimed = 0;
  bool is_stream = false;  // Its writer did not know.
};

absl::StatusOr<SampleFile> MakeFile(const Common& common, const SoundData& data) {
  const uint64_t claimed_by_frames = common.frames * common.form.bytes_per_sample();
  uint64_t claimed = data.claimed;
  if (data.is_stream) claimed = common.frames == 0 ? data.rest.size() : claimed_by_frames;
  if (claimed_by_frames > claimed) {
    return HeaderError("COMM claims ", common.frames, " samples of ", common.form.bytes_per_sample(), " bytes, SSND ",
                       claimed, " bytes");
  }
  const absl::StatusOr<std::string_view> bytes = TakeClaimed(common.form, data.rest, claimed);
  if (!bytes.ok()) return bytes.status();
  return MakeSampleFile(common.form, *bytes);
}

}  // namespace

absl::StatusOr<SampleFile> ParseAiffFile(std::string_view bytes) {
  const bool is_aifc = bytes.substr(8, 4) == "AIFC";
  std::optional<Common> common;
  std::optional<SoundData> data;
  size_t offset = 12;
  for (int chunks = 0; bytes.size() - offset >= 8 && !(common && data); ++chunks) {
    if (chunks == kMaxChunks) return HeaderError("more than ", kMaxChunks, " chunks before the samples");
    const std::string_view id = bytes.substr(offset, 4);
    const auto claimed = Read<uint32_t>(bytes, offset + 4);
    offset += 8;
    const std::string_view rest = bytes.substr(offset);
    if (id == "COMM" && !common) {
      absl::StatusOr<Common> parsed = ParseCommon(rest.substr(0, claimed), is_aifc);
      if (!parsed.ok()) return parsed.status();
      common = *parsed;
    } else if (id == "SSND" && !data) {
      // Two numbers first: where the samples begin behind them, and the size of blocks, which nobody uses.
      if (rest.size() < 8) return HeaderError("the SSND chunk ends within its head");
      const uint64_t begin = 8 + uint64_t{Read<uint32_t>(rest, 0)};
      const bool is_stream = claimed == 0 || claimed == 0xffffffff;
      if (!is_stream && begin > claimed) {
        return HeaderError("samples from byte ", begin, " on in an SSND chunk of ", claimed);
      }
      data = SoundData{rest.substr(std::min<uint64_t>(begin, rest.size())), claimed - begin, is_stream};
    }
    offset += std::min<uint64_t>(rest.size(), uint64_t{claimed} + claimed % 2);
  }
  if (!common) return HeaderError("no COMM chunk");
  if (!data) return HeaderError("no SSND chunk");
  return MakeFile(*common, *data);
}

}  // namespace hearwire
