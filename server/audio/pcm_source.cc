#include "server/audio/pcm_source.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace hearwire {

static_assert(std::endian::native == std::endian::little, "samples are read as they lie");

PcmSource::PcmSource(const PcmAudio& audio)
    : audio_(audio),
      sample_count_(static_cast<int64_t>(audio.samples.size()) /
                    (audio.channel_count * BytesPerValue(audio.encoding))) {}

int64_t PcmSource::BytesPerValue(PcmAudio::Encoding encoding) {
  return encoding == PcmAudio::Encoding::kLinear16 ? 2 : 4;
}

absl::StatusOr<int64_t> PcmSource::Read(absl::Span<float> values) {
  const int64_t channels = audio_.channel_count;
  const int64_t samples = std::min(static_cast<int64_t>(values.size()) / channels, sample_count_ - position_);
  const int64_t count = samples * channels;
  const char* bytes = audio_.samples.data() + position_ * channels * BytesPerValue(audio_.encoding);
  if (audio_.encoding == PcmAudio::Encoding::kFloat32) {
    std::memcpy(values.data(), bytes, count * sizeof(float));
  } else {
    float* const out = values.data();
    for (int64_t i = 0; i < count; ++i) {
      int16_t value;  // The bytes need not be aligned.
      std::memcpy(&value, bytes + i * sizeof(value), sizeof(value));
      out[i] = static_cast<float>(value) / 32768.0F;
    }
  }
  position_ += samples;
  return samples;
}

}  // namespace hearwire
