#include "server/audio/sample_form.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/audio/sample_source.h"

namespace hearwire {
namespace {

using Coding = SampleForm::Coding;

void Append32(uint32_t value, std::endian order, std::string* out) {
  for (int i = 0; i < 4; ++i) *out += static_cast<char>(value >> (order == std::endian::big ? 24 - 8 * i : 8 * i));
}

// As the header of an AU file numbers them.
uint32_t AuEncoding(const SampleForm& form) {
  switch (form.coding) {
    case Coding::kMuLaw:
      return 1;
    case Coding::kALaw:
      return 27;
    case Coding::kFloat:
      return form.bytes_per_value == 4 ? 6 : 7;
    case Coding::kSigned:
    case Coding::kUnsigned:
      break;
  }
  return static_cast<uint32_t>(form.bytes_per_value) + 1;
}

// AU holds every form in both orders but unsigned values, which WAV has.
std::string MakeHeader(const SampleForm& form, size_t data_bytes) {
  const auto rate = static_cast<uint32_t>(form.sample_rate_hz);
  const auto channels = static_cast<uint32_t>(form.channel_count);
  const auto size = static_cast<uint32_t>(data_bytes);
  std::string header;
  if (form.coding == Coding::kUnsigned) {
    const auto append = [&](uint32_t value) { Append32(value, std::endian::little, &header); };
    header = "RIFF";
    append(36 + size);
    header += "WAVEfmt ";
    append(16);
    append(1 | channels << 16);
    append(rate);
    append(rate * channels);
    append(channels | 8 << 16);
    header += "data";
    append(size);
    return header;
  }
  header = form.order == std::endian::big ? ".snd" : "dns.";
  for (const uint32_t value : {uint32_t{24}, size, AuEncoding(form), rate, channels}) {
    Append32(value, form.order, &header);
  }
  return header;
}

}  // namespace

int BytesPerInteger(int64_t bits) { return bits >= 8 && bits <= 32 ? static_cast<int>(bits + 7) / 8 : 0; }

absl::Status EncodingError(std::string_view container, std::string_view code) {
  const bool is_text = std::all_of(code.begin(), code.end(), [](char c) { return c >= ' ' && c <= '~'; });
  // What Apple's programs write into CAF; clients know these by the same codes.
  const char* name = code == "alac" ? " (ALAC)" : code == "aac " ? " (AAC)" : "";
  const bool is_for_clients = container == "CAF" && *name != '\0';
  return absl::InvalidArgumentError(absl::StrCat(
      std::string(container), " encoding '", is_text ? std::string(code) : "?", "'", name,
      " is not accepted; integers, floats, A-law and mu-law are. ",
      is_for_clients ? "The command hearwire and the Python package decode it where ffmpeg is installed; so does " : "",
      "'ffmpeg -i FILE sound.flac'", is_for_clients ? "" : " makes an accepted file of it"));
}

absl::StatusOr<std::string_view> TakeClaimed(const SampleForm& form, std::string_view rest, uint64_t claimed) {
  if (claimed <= rest.size()) return rest.substr(0, claimed);
  return CutOffBytesError(rest.size(), claimed,
                          static_cast<double>(form.bytes_per_sample()) * static_cast<double>(form.sample_rate_hz));
}

absl::StatusOr<SampleFile> MakeSampleFile(const SampleForm& form, std::string_view data) {
  // Headers have 32 bits for it, and requests are smaller.
  constexpr size_t kMaxDataBytes = 0xffff0000;
  data = data.substr(0, std::min(data.size(), kMaxDataBytes));
  SampleFile file;
  file.sample_rate_hz = form.sample_rate_hz;
  file.channel_count = form.channel_count;
  file.samples = data.substr(0, data.size() - data.size() % form.bytes_per_sample());
  if (file.samples.empty()) return absl::InvalidArgumentError("the file has no samples");
  file.sample_count = static_cast<int64_t>(file.samples.size()) / form.bytes_per_sample();
  file.header = MakeHeader(form, file.samples.size());
  return file;
}

}  // namespace hearwire
