#include "server/audio/decode_audio.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "server/audio/check_pcm.h"
#include "server/audio/clip_decoder.h"
#include "server/audio/file_format.h"
#include "server/audio/flac_file.h"
#include "server/audio/limits.h"
#include "server/audio/pcm_source.h"
#include "server/audio/resampler.h"
#include "server/audio/sample_file.h"

namespace hearwire {
namespace {

// What a header claims is believed so far: 64 MiB, 8.7 minutes at 32 kHz. Longer clips grow as they are decoded.
constexpr int64_t kMaxReservedSamples = int64_t{1} << 24;

// A step that finds the end has asked for as much room as another one.
constexpr int64_t kStepRoom = ClipDecoder::kStepSamples + 1;

// What the resampler's calls ask for beyond what they fill.
constexpr int64_t kResamplerRoom = ClipDecoder::kStepSamples + 1024;

// Makes room for a clip of so many samples, if take_room allows. False, and nothing done, when it does not.
bool Reserve(int64_t samples, const std::function<bool(int64_t)>& take_room, std::vector<float>* clip) {
  const auto held = static_cast<int64_t>(clip->capacity());
  if (samples <= held) return true;
  // By half at least, so that a clip is not moved at every piece.
  const int64_t room = std::max(samples, held + held / 2);
  if (take_room && !take_room((room - held) * static_cast<int64_t>(sizeof(float)))) return false;
  clip->reserve(room);
  return true;
}

struct SourceLength {
  int64_t samples = 0;
  int64_t sample_rate_hz = 0;
};

SourceLength LengthOf(const PcmAudio& pcm, const AudioLimits& limits) {
  if (CheckPcmFormat(pcm, limits) || !CheckPcmBytes(pcm, static_cast<int64_t>(pcm.samples.size())).ok()) return {};
  return {PcmSource(pcm).claimed_samples().value(), pcm.sample_rate_hz};
}

template <typename File>
SourceLength LengthOf(const absl::StatusOr<File>& file, const AudioLimits& limits) {
  if (!file.ok() || !file->sample_count || !CheckSampleRate(file->sample_rate_hz, limits).ok() ||
      !CheckChannelCount(file->channel_count, limits).ok()) {
    return {};
  }
  return {*file->sample_count, file->sample_rate_hz};
}

// No samples where the length is not known without decoding, or the source's form is wrong.
SourceLength LengthOf(const AudioSource& source, const AudioLimits& limits) {
  if (const auto* pcm = std::get_if<PcmAudio>(&source)) return LengthOf(*pcm, limits);
  const absl::StatusOr<RecognizedFile> file = RecognizeFile(std::get<EncodedAudio>(source).bytes);
  if (!file.ok()) return {};
  switch (file->format) {
    case FileFormat::kOgg:
    case FileFormat::kMp3:
      return {};
    case FileFormat::kFlac:
      return LengthOf(ParseFlacFile(file->bytes), limits);
    case FileFormat::kWav:
    case FileFormat::kW64:
    case FileFormat::kAiff:
    case FileFormat::kAu:
    case FileFormat::kCaf:
      return LengthOf(ParseSampleFile(file->format, file->bytes), limits);
  }
  return {};
}

}  // namespace

std::variant<std::vector<float>, AudioError> DecodeAudio(const AudioSource& source, const AudioLimits& limits,
                                                         int sample_rate_hz, const std::function<bool()>& is_cancelled,
                                                         const std::function<bool(int64_t)>& take_room) {
  const auto cancelled = [&](const char* why) {
    const bool is_pcm = std::holds_alternative<PcmAudio>(source);
    return AudioError{absl::CancelledError(why), is_pcm ? AudioField::kSamples : AudioField::kEncoded};
  };
  ClipDecoder decoder(source, limits, sample_rate_hz);
  std::vector<float> clip;
  while (true) {
    if (is_cancelled && is_cancelled()) return cancelled("nobody waits for this clip any more");
    int64_t most = decoder.MostAfterStep();
    if (const std::optional<int64_t> claimed = decoder.claimed_samples()) {
      most = std::max(most, std::min(*claimed + kStepRoom, kMaxReservedSamples));  // So that it is never moved.
    }
    if (most > 0 && !Reserve(most + kResamplerRoom, take_room, &clip)) {
      return cancelled("there is no room for this clip");
    }
    auto step = decoder.Step(&clip);
    if (auto* error = std::get_if<AudioError>(&step)) return std::move(*error);
    if (std::get<ClipDecoder::Progress>(step) == ClipDecoder::Progress::kEnd) return clip;
  }
}

int64_t CountDecodedSamples(const AudioSource& source, const AudioLimits& limits, int sample_rate_hz) {
  const SourceLength length = LengthOf(source, limits);
  if (length.samples == 0 || length.samples > MaxSamples(limits, length.sample_rate_hz)) return 0;
  return Resampler::ResampledCount(length.samples, length.sample_rate_hz, sample_rate_hz);
}

}  // namespace hearwire
