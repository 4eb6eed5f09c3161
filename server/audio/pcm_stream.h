// Raw samples that arrive in pieces, as mono samples at the model's rate.

#ifndef HEARWIRE_SERVER_AUDIO_PCM_STREAM_H_
#define HEARWIRE_SERVER_AUDIO_PCM_STREAM_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/audio/decode_audio.h"
#include "server/audio/sample_converter.h"

namespace hearwire {

// However the bytes are cut, the samples are those that DecodeAudio makes of all of them. State: the resampler's filter
// and less than one sample of the input, whatever the length; no length is too long here. One thread at a time.
class PcmStream {
 public:
  static constexpr int64_t kMaxFirstSample = int64_t{1} << 56;

  // format: its samples are not looked at. first_sample: index of the first sample in the recording, at the input's
  // rate, 0 to kMaxFirstSample; errors count from the recording's start.
  // INVALID_ARGUMENT as DecodeAudio for the format (the same fields), and for first_sample (field kSource).
  static std::variant<std::unique_ptr<PcmStream>, AudioError> Create(const PcmAudio& format, const AudioLimits& limits,
                                                                     int64_t first_sample, int sample_rate_hz);

  // Bytes of about ClipDecoder::kStepSamples samples at the model's rate, at least one sample: a piece that is longer
  // is best taken in as many parts, for a mebibyte of bytes may make 64 of samples.
  int64_t step_bytes() const;

  // Takes the next bytes, which may begin and end within a sample, and appends to *samples what is ready: about as much
  // as the bytes hold, later by the length of the resampler's filter.
  // INVALID_ARGUMENT: a value is NaN or infinite (the message says which sample and channel, and its time). The samples
  // before it may have been appended or not; nothing may follow.
  std::optional<AudioError> Append(std::string_view bytes, std::vector<float>* samples);

  // The audio has ended: appends the rest. Nothing may follow. INVALID_ARGUMENT: the bytes ended within a sample; there
  // were none, and first_sample is 0.
  std::optional<AudioError> Finish(std::vector<float>* samples);

  // Whole samples taken so far, at the input's rate, first_sample not counted.
  int64_t samples_taken() const { return converter_->samples_taken(); }

 private:
  PcmStream(const PcmAudio& format, int64_t first_sample, int sample_rate_hz,
            std::unique_ptr<SampleConverter> converter);

  absl::Status AppendWhole(std::string_view bytes, std::vector<float>* samples);

  const PcmAudio format_;  // Without samples.
  const int64_t first_sample_;
  const size_t sample_bytes_;
  const int sample_rate_hz_;  // The model's.
  const std::unique_ptr<SampleConverter> converter_;
  std::vector<float> values_;
  std::string part_;  // The beginning of a sample whose rest has not come yet.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_PCM_STREAM_H_
