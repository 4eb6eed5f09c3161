#include "server/audio/caf_file.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/audio/sample_form.h"

namespace hearwire {
namespace {

using Coding = SampleForm::Coding;

constexpr uint32_t kIsFloat = 1;
constexpr uint32_t kIsLittleEndian = 2;

template <typename Number>
Number Read(std::string_view bytes, size_t offset) {
  return ReadNumber<Number>(bytes, offset, std::endian::big);
}

template <typename... Parts>
absl::Status HeaderError(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("the CAF header is wrong: ", parts...));
}

absl::StatusOr<SampleForm> ParseDescription(std::string_view bytes) {
  if (bytes.size() < 32) return HeaderError("a desc chunk of ", bytes.size(), " bytes; it has 32");
  SampleForm form;
  const auto rate_hz = Read<double>(bytes, 0);
  const std::string_view kind = bytes.substr(8, 4);
  const auto flags = Read<uint32_t>(bytes, 12);
  const auto packet_bytes = Read<uint32_t>(bytes, 16);
  form.channel_count = Read<uint32_t>(bytes, 24);
  const auto bits = Read<uint32_t>(bytes, 28);
  if (!(rate_hz >= 1 && rate_hz < 4e9)) return HeaderError("a sample rate of ", rate_hz, " Hz");
  form.sample_rate_hz = std::llround(rate_hz);
  if (form.channel_count == 0) return HeaderError("0 channels");
  form.order = (flags & kIsLittleEndian) != 0 ? std::endian::little : std::endian::big;
  if (kind == "alaw" || kind == "ulaw") {
    form.coding = kind == "alaw" ? Coding::kALaw : Coding::kMuLaw;
    form.bytes_per_value = 1;
  } else if (kind == "lpcm" && (flags & kIsFloat) != 0) {
    form.coding = Coding::kFloat;
    form.bytes_per_value = bits == 32 ? 4 : bits == 64 ? 8 : 0;
  } else if (kind == "lpcm") {
    form.coding = Coding::kSigned;
    form.bytes_per_value = BytesPerInteger(bits);
  } else {
    return EncodingError("CAF", kind);
  }
  if (form.bytes_per_value == 0) return HeaderError(bits, " bits per value; integers have 8 to 32, floats 32 or 64");
  if (packet_bytes != form.bytes_per_sample()) {
    return HeaderError("a sample of ", form.channel_count, " channels of ", bits, " bits has ", form.bytes_per_sample(),
                       " bytes, not ", packet_bytes);
  }
  return form;
}

}  // namespace

absl::StatusOr<SampleFile> ParseCafFile(std::string_view bytes) {
  std::optional<SampleForm> form;
  size_t offset = std::min<size_t>(8, bytes.size());
  for (int chunks = 0; bytes.size() - offset >= 12; ++chunks) {
    if (chunks == kMaxChunks) return HeaderError("more than ", kMaxChunks, " chunks before the samples");
    const std::string_view id = bytes.substr(offset, 4);
    const auto claimed = Read<uint64_t>(bytes, offset + 4);
    offset += 12;
    std::string_view rest = bytes.substr(offset);
    if (id == "desc" && !form) {
      absl::StatusOr<SampleForm> parsed = ParseDescription(rest.substr(0, claimed));
      if (!parsed.ok()) return parsed.status();
      form = *parsed;
    } else if (id == "data") {
      if (!form) return HeaderError("no desc chunk before the data chunk");
      constexpr uint64_t kEditCountBytes = 4;
      const bool is_stream = claimed == UINT64_MAX;
      if (claimed < kEditCountBytes || rest.size() < kEditCountBytes) {
        return HeaderError("the data chunk ends within its head");
      }
      rest.remove_prefix(kEditCountBytes);
      const absl::StatusOr<std::string_view> data =
          TakeClaimed(*form, rest, is_stream ? rest.size() : claimed - kEditCountBytes);
      if (!data.ok()) return data.status();
      return MakeSampleFile(*form, *data);
    }
    offset += std::min<uint64_t>(rest.size(), claimed);
  }
  return HeaderError(form ? "no data chunk" : "no desc chunk");
}

}  // namespace hearwire
