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
//
// A stream may go on where another ended. Where it is resampled, it then begins at the next instant that is a whole
// number of samples at both rates (every 10 ms at 44.1 kHz, at most a second away), and leaves out what its filter
// makes until it has settled (Resampler::SettleCount). So its samples are those of the whole recording.
class PcmStream {
 public:
  static constexpr int64_t kMaxFirstSample = int64_t{1} << 56;

  // format: its samples are not looked at. first_sample: index of the first sample in the recording, at the input's
  // rate, 0 to kMaxFirstSample; errors count from the recording's start.
  // INVALID_ARGUMENT as DecodeAudio for the format (the same fields), and for first_sample (field kSource).
  static std::variant<std::unique_ptr<PcmStream>, AudioError> Create(const PcmAudio& format, const AudioLimits& limits,
                                                                     int64_t first_sample, int sample_rate_hz);

  // Index in the recording, at the model's rate, of the first sample that will be appended.
  int64_t first_mono_sample() const { return first_mono_sample_; }

  // The last first_sample (at the input's rate) of a stream that has the recording's sample `mono_sample` (at the
  // model's rate) and all behind it.
  static int64_t ResumeSample(int64_t mono_sample, int64_t input_rate_hz, int sample_rate_hz);

  // Bytes of about ClipDecoder::kStepSamples samples at the model's rate, at least one sample: a piece that is longer
  // is best taken in as many parts, for a mebibyte of bytes may make 64 of samples.
  int64_t step_bytes() const;

  // Takes the next bytes, which may begin and end within a sample, and appends to *samples what is ready: about as much
  // as the bytes hold, later by the length of the resampler's filter.
  // INVALID_ARGUMENT: a value is NaN or infinite (the message says which sample and channel, and its time). What is
  // ready of the samples before it has been appended; nothing may follow.
  std::optional<AudioError> Append(std::string_view bytes, std::vector<float>* samples);

  // The audio has ended: appends the rest. Nothing may follow. INVALID_ARGUMENT: the bytes ended within a sample; there
  // were none, and first_sample is 0.
  std::optional<AudioError> Finish(std::vector<float>* samples);

  // Whole samples taken so far, at the input's rate, first_sample not counted.
  int64_t samples_taken() const { return skipped_ + converter_->samples_taken(); }

 private:
  // Where a stream begins that is given samples from first_sample on.
  struct Start {
    int64_t skip;               // Samples of the input that are left out.
    int64_t settle;             // Samples at the model's rate that are left out.
    int64_t first_mono_sample;  // Behind those.
  };
  static Start FindStart(int64_t first_sample, int64_t input_rate_hz, int sample_rate_hz);

  PcmStream(const PcmAudio& format, int64_t first_sample, const Start& start, int sample_rate_hz,
            std::unique_ptr<SampleConverter> converter);

  // Whole samples.
  absl::Status AppendWhole(std::string_view bytes, std::vector<float>* samples);
  // Takes what has not settled off the samples that have been appended behind the first `before`.
  void LeaveOutUnsettled(size_t before, std::vector<float>* samples);

  const PcmAudio format_;  // Without samples.
  const int64_t first_sample_;
  const int64_t first_mono_sample_;
  const size_t sample_bytes_;
  const int sample_rate_hz_;  // The model's.
  const std::unique_ptr<SampleConverter> converter_;
  int64_t to_skip_;
  int64_t to_settle_;
  int64_t skipped_ = 0;
  std::vector<float> values_;
  std::string part_;  // The beginning of a sample whose rest has not come yet.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_PCM_STREAM_H_
