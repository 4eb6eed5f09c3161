#include "server/audio/check_pcm.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/audio/limits.h"
#include "server/audio/pcm_source.h"

namespace hearwire {
namespace {

absl::Status CheckEncoding(PcmAudio::Encoding encoding) {
  if (encoding == PcmAudio::Encoding::kLinear16 || encoding == PcmAudio::Encoding::kFloat32) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("PCM encoding ", static_cast<int>(encoding),
                   " is unknown; ENCODING_LINEAR16 (1) and ENCODING_FLOAT32 (2) are accepted"));
}

}  // namespace

std::optional<AudioError> CheckPcmFormat(const PcmAudio& format, const AudioLimits& limits) {
  const std::pair<absl::Status, AudioField> checks[] = {
      {CheckEncoding(format.encoding), AudioField::kEncoding},
      {CheckSampleRate(format.sample_rate_hz, limits), AudioField::kSampleRate},
      {CheckChannelCount(format.channel_count, limits), AudioField::kChannelCount}};
  for (const auto& [status, field] : checks) {
    if (!status.ok()) return AudioError{status, field};
  }
  return std::nullopt;
}

absl::Status CheckPcmBytes(const PcmAudio& format, int64_t bytes) {
  if (bytes == 0) return absl::InvalidArgumentError("the clip is empty: 0 bytes of samples");
  const int64_t value_bytes = PcmSource::BytesPerValue(format.encoding);
  const int64_t sample_bytes = value_bytes * format.channel_count;
  if (bytes % sample_bytes == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      bytes, " bytes are no whole number of samples: a sample has ", sample_bytes, " bytes (", format.channel_count,
      format.channel_count == 1 ? " channel of " : " channels of ", value_bytes, " bytes)"));
}

}  // namespace hearwire
