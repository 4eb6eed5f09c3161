// Raw samples as floats.

#ifndef HEARWIRE_SERVER_AUDIO_PCM_SOURCE_H_
#define HEARWIRE_SERVER_AUDIO_PCM_SOURCE_H_

#include <cstdint>
#include <optional>

#include "server/audio/decode_audio.h"
#include "server/audio/sample_source.h"

namespace hearwire {

// 16-bit integers are divided by 32768; floats are taken as they are.
class PcmSource final : public SampleSource {
 public:
  // The encoding is one of the two, there is at least one channel, and the bytes are whole samples. They must outlive
  // this.
  explicit PcmSource(const PcmAudio& audio);

  // Of one value.
  static int64_t BytesPerValue(PcmAudio::Encoding encoding);

  int64_t sample_rate_hz() const override { return audio_.sample_rate_hz; }
  int64_t channel_count() const override { return audio_.channel_count; }
  std::optional<int64_t> claimed_samples() const override { return sample_count_; }
  bool is_always_finite() const override { return audio_.encoding == PcmAudio::Encoding::kLinear16; }
  absl::StatusOr<int64_t> Read(absl::Span<float> values) override;

 private:
  const PcmAudio audio_;
  const int64_t sample_count_;
  int64_t position_ = 0;  // In samples.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_PCM_SOURCE_H_
