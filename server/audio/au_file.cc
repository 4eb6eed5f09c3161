#include "server/audio/au_file.h"

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/audio/sample_form.h"

namespace hearwire {
namespace {

using Coding = SampleForm::Coding;

constexpr size_t kHeaderBytes = 24;
constexpr uint32_t kUnknownLength = 0xffffffff;

template <typename... Parts>
absl::Status HeaderError(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("the AU header is wrong: ", parts...));
}

absl::Status SetCoding(uint32_t encoding, SampleForm* form) {
  switch (encoding) {
    case 1:
    case 27:
      form->coding = encoding == 1 ? Coding::kMuLaw : Coding::kALaw;
      form->bytes_per_value = 1;
      return absl::OkStatus();
    case 2:
    case 3:
    case 4:
    case 5:
      form->coding = Coding::kSigned;
      form->bytes_per_value = static_cast<int>(encoding) - 1;
      return absl::OkStatus();
    case 6:
    case 7:
      form->coding = Coding::kFloat;
      form->bytes_per_value = encoding == 6 ? 4 : 8;
      return absl::OkStatus();
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("AU encoding ", encoding,
                       " is not accepted; mu-law (1), integers (2 to 5), floats (6, 7) and A-law (27) are"));
  }
}

}  // namespace

absl::StatusOr<SampleFile> ParseAuFile(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return HeaderError("it has ", bytes.size(), " bytes of ", kHeaderBytes);
  SampleForm form;
  form.order = bytes.starts_with(".snd") ? std::endian::big : std::endian::little;
  const auto field = [&](int i) { return ReadNumber<uint32_t>(bytes, 4 * static_cast<size_t>(i), form.order); };
  const uint32_t begin = field(1);
  const uint32_t claimed = field(2);
  if (absl::Status status = SetCoding(field(3), &form); !status.ok()) return status;
  form.sample_rate_hz = field(4);
  form.channel_count = field(5);
  if (form.sample_rate_hz == 0) return HeaderError("a sample rate of 0 Hz");
  if (form.channel_count == 0) return HeaderError("0 channels");
  if (begin < kHeaderBytes || begin > bytes.size()) {
    return HeaderError("samples from byte ", begin, " on in a file of ", bytes.size());
  }
  const std::string_view rest = bytes.substr(begin);
  const bool is_stream = claimed == kUnknownLength || claimed == 0;
  const absl::StatusOr<std::string_view> data = TakeClaimed(form, rest, is_stream ? rest.size() : claimed);
  if (!data.ok()) return data.status();
  return MakeSampleFile(form, *data);
}

}  // namespace hearwire
