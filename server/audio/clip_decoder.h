// A clip's samples, decoded step by step: state and steps do not grow with the clip.

#ifndef HEARWIRE_SERVER_AUDIO_CLIP_DECODER_H_
#define HEARWIRE_SERVER_AUDIO_CLIP_DECODER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "server/audio/decode_audio.h"
#include "server/audio/ogg_file.h"
#include "server/audio/sample_converter.h"
#include "server/audio/sample_source.h"

namespace hearwire {

// Opening is steps too: the first ones may make no samples. A step takes under a millisecond, as measured; 4 ms where a
// FLAC file's next frame is looked for in vain. But the headers of a stream of an Ogg file are read in one step: 7 ms
// for each MiB of a picture in them. Holds the decoder and the resampler, 0.3 to 0.9 MB together (Opus of 32 channels:
// 2 MB), and while an Ogg file is opened its headers, whatever the source claims. All steps together make what
// DecodeAudio makes, and fail as it does. One thread at a time.
class ClipDecoder {
 public:
  // A step makes about so many samples at most; where the rate changes, what the resampler held back comes on top.
  static constexpr int64_t kStepSamples = 8192;

  // Looks at nothing yet. The source's bytes must outlive this.
  ClipDecoder(const AudioSource& source, const AudioLimits& limits, int sample_rate_hz);
  ~ClipDecoder();

  enum class Progress { kMore, kEnd };

  // Appends the next mono samples, all finite, to *samples: none is no end, kEnd is. Samples that are appended are
  // those before the first fault. Nothing may follow kEnd or an error.
  std::variant<Progress, AudioError> Step(std::vector<float>* samples);

  // How many samples there will be in all, as far as the source says so and is opened; it may lie. Never above the
  // limits.
  std::optional<int64_t> claimed_samples() const { return claimed_samples_; }

  // At most so many samples will have been appended, by all steps together, after the next one.
  int64_t MostAfterStep() const;

 private:
  // Absent: not open yet.
  absl::StatusOr<std::unique_ptr<SampleSource>> OpenStep();
  absl::StatusOr<std::unique_ptr<SampleSource>> OpenOgg(std::string_view bytes);
  absl::Status Start(std::unique_ptr<SampleSource> source);
  absl::StatusOr<Progress> Decode(std::vector<float>* samples);

  const AudioSource source_;
  const AudioLimits limits_;
  const int sample_rate_hz_;
  std::optional<OggScan> ogg_;  // While an Ogg file's pages are looked at.

  // Once open.
  std::unique_ptr<SampleSource> opened_;
  std::unique_ptr<SampleConverter> converter_;
  std::unique_ptr<float[]> piece_;  // What the source gives at a time, so many values.
  int64_t piece_values_ = 0;
  int64_t max_samples_ = 0;  // At the source's rate.
  std::optional<int64_t> claimed_samples_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_CLIP_DECODER_H_
