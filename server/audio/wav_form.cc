#include "server/audio/wav_form.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hearwire {
namespace {

using Coding = SampleForm::Coding;

enum Encoding : uint16_t {
  kPcm = 0x0001,
  kMsAdpcm = 0x0002,
  kFloat = 0x0003,
  kALaw = 0x0006,
  kMuLaw = 0x0007,
  kImaAdpcm = 0x0011,
  kGsm610 = 0x0031,
  kMp3 = 0x0055,
  kExtensible = 0xfffe,
};

constexpr int kGsmBlockSamples = 320;
constexpr size_t kMaxFmtBytes = 1024;

// What people's files hold beside what is accepted.
const char* NameOf(uint16_t encoding) {
  switch (encoding) {
    case 0x0050:
      return " (MPEG layer I or II)";
    case 0x00ff:
    case 0x1610:
      return " (AAC)";
    case 0x0160:
    case 0x0161:
    case 0x0162:
      return " (WMA)";
    case 0x2000:
      return " (AC-3)";
    default:
      return "";
  }
}

// Of samples that stand one by one.
absl::Status SetCoding(uint16_t encoding, int bits, SampleForm* form) {
  const char* right = "";
  switch (encoding) {
    case kPcm:
      form->bytes_per_value = BytesPerInteger(bits);
      form->coding = form->bytes_per_value == 1 ? Coding::kUnsigned : Coding::kSigned;
      right = "8 to 32";
      break;
    case kFloat:
      form->bytes_per_value = bits == 32 ? 4 : bits == 64 ? 8 : 0;
      form->coding = Coding::kFloat;
      right = "32 or 64";
      break;
    case kALaw:
    case kMuLaw:
      form->bytes_per_value = bits == 8 ? 1 : 0;
      form->coding = encoding == kALaw ? Coding::kALaw : Coding::kMuLaw;
      right = "8";
      break;
    default:
      return absl::InvalidArgumentError(absl::StrFormat(
          "WAV encoding 0x%04x%s is not accepted; PCM, float, A-law, mu-law, MS ADPCM, IMA ADPCM, GSM 6.10 and MP3 are",
          encoding, NameOf(encoding)));
  }
  if (form->bytes_per_value == 0) return WavHeaderError(bits, " bits per value; it can be ", right);
  return absl::OkStatus();
}

void AppendChunkHead(std::string_view id, size_t length, std::string* out) {
  out->append(id);
  for (int i = 0; i < 4; ++i) *out += static_cast<char>(length >> (8 * i));
}

}  // namespace

absl::StatusOr<WavForm> ParseWavForm(std::string_view fmt, std::endian order) {
  if (fmt.size() < 16 || fmt.size() > kMaxFmtBytes) {
    return WavHeaderError("a fmt chunk of ", fmt.size(), " bytes; 16 to ", kMaxFmtBytes, " are possible");
  }
  const auto read16 = [&](size_t offset) { return ReadNumber<uint16_t>(fmt, offset, order); };
  WavForm form;
  form.fmt = fmt;
  form.samples.order = order;
  form.samples.channel_count = read16(2);
  form.samples.sample_rate_hz = ReadNumber<uint32_t>(fmt, 4, order);
  form.bytes_per_second = ReadNumber<uint32_t>(fmt, 8, order);
  form.block_bytes = read16(12);
  const int bits = read16(14);
  uint16_t encoding = read16(0);
  if (encoding == kExtensible) {
    if (fmt.size() < 40) return WavHeaderError("an extensible fmt chunk of ", fmt.size(), " bytes; it has 40");
    encoding = read16(24);
  }
  if (form.samples.channel_count == 0) return WavHeaderError("0 channels");
  if (form.samples.sample_rate_hz == 0) return WavHeaderError("a sample rate of 0 Hz");
  if (encoding == kMp3) {
    form.kind = WavForm::Kind::kMp3;
    return form;
  }
  if (order == std::endian::little && (encoding == kMsAdpcm || encoding == kImaAdpcm || encoding == kGsm610)) {
    form.kind = WavForm::Kind::kBlocks;
    if (form.block_bytes == 0) return WavHeaderError("blocks of 0 bytes");
    form.samples_per_block = encoding == kGsm610 ? kGsmBlockSamples : 0;
    return form;
  }
  if (absl::Status status = SetCoding(encoding, bits, &form.samples); !status.ok()) return status;
  const int64_t sample_bytes = form.samples.bytes_per_sample();
  if (form.block_bytes != 0 && form.block_bytes != sample_bytes) {
    return WavHeaderError("a sample of ", form.samples.channel_count, " channels of ", bits, " bits has ", sample_bytes,
                          " bytes, not ", form.block_bytes);
  }
  form.block_bytes = sample_bytes;
  form.bytes_per_second = sample_bytes * form.samples.sample_rate_hz;
  return form;
}

absl::StatusOr<SampleFile> MakeWavSampleFile(const WavForm& form, std::string_view data) {
  if (form.kind == WavForm::Kind::kSamples) return MakeSampleFile(form.samples, data);
  if (form.samples_per_block > 0) data.remove_suffix(data.size() % form.block_bytes);
  if (data.empty()) return absl::InvalidArgumentError("the file has no samples");
  SampleFile file;
  file.sample_rate_hz = form.samples.sample_rate_hz;
  file.channel_count = form.samples.channel_count;
  file.samples = data;
  file.holds_mp3 = form.kind == WavForm::Kind::kMp3;
  if (file.holds_mp3) return file;
  if (form.samples_per_block > 0) {
    file.sample_count = static_cast<int64_t>(data.size()) / form.block_bytes * form.samples_per_block;
  }
  const size_t fmt_padding = form.fmt.size() % 2;
  AppendChunkHead("RIFF", 4 + 8 + form.fmt.size() + fmt_padding + 8 + data.size(), &file.header);
  file.header += "WAVE";
  AppendChunkHead("fmt ", form.fmt.size(), &file.header);
  file.header.append(form.fmt).append(fmt_padding, '\0');
  AppendChunkHead("data", data.size(), &file.header);
  return file;
}

}  // namespace hearwire
