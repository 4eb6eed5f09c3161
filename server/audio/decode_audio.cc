#include "server/audio/decode_audio.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/audio/file_format.h"
#include "server/audio/limits.h"
#include "server/audio/mixdown.h"
#include "server/audio/mp3_file.h"
#include "server/audio/non_finite.h"
#include "server/audio/pcm_source.h"
#include "server/audio/resampler.h"
#include "server/audio/sample_source.h"
#include "server/audio/sound_file.h"
#include "server/audio/wav_file.h"

namespace hearwire {
namespace {

constexpr int64_t kPieceValues = 8192;  // They stay in the first-level cache.

// What a header claims is believed so far: 64 MiB, 8.7 minutes at 32 kHz. Longer clips grow as they are decoded.
constexpr int64_t kMaxReservedSamples = int64_t{1} << 24;

absl::Status CheckEncoding(PcmAudio::Encoding encoding) {
  if (encoding == PcmAudio::Encoding::kLinear16 || encoding == PcmAudio::Encoding::kFloat32) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("PCM encoding ", static_cast<int>(encoding),
                                                 " is unknown; LINEAR16 (1) and FLOAT32 (2) are accepted"));
}

absl::Status CheckByteCount(const PcmAudio& audio) {
  if (audio.samples.empty()) return absl::InvalidArgumentError("the clip is empty: 0 bytes of samples");
  const int64_t value_bytes = PcmSource::BytesPerValue(audio.encoding);
  const auto bytes = static_cast<int64_t>(audio.samples.size());
  if (bytes % (value_bytes * audio.channel_count) == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      bytes, " bytes are no whole number of samples: a sample has ", value_bytes * audio.channel_count, " bytes (",
      audio.channel_count, audio.channel_count == 1 ? " channel of " : " channels of ", value_bytes, " bytes)"));
}

using OpenedSource = std::variant<std::unique_ptr<SampleSource>, AudioError>;

std::optional<AudioError> CheckPcm(const PcmAudio& audio, const AudioLimits& limits) {
  const std::pair<absl::Status, AudioField> checks[] = {
      {CheckEncoding(audio.encoding), AudioField::kEncoding},
      {CheckSampleRate(audio.sample_rate_hz, limits), AudioField::kSampleRate},
      {CheckChannelCount(audio.channel_count, limits), AudioField::kChannelCount}};
  for (const auto& [status, field] : checks) {
    if (!status.ok()) return AudioError{status, field};
  }
  if (absl::Status status = CheckByteCount(audio); !status.ok()) return AudioError{status, AudioField::kSamples};
  return std::nullopt;
}

OpenedSource OpenPcm(const PcmAudio& audio, const AudioLimits& limits) {
  if (std::optional<AudioError> error = CheckPcm(audio, limits)) return std::move(*error);
  return std::make_unique<PcmSource>(audio);
}

absl::StatusOr<std::unique_ptr<SampleSource>> OpenFile(std::string_view bytes, const AudioLimits& limits) {
  const absl::StatusOr<RecognizedFile> file = RecognizeFile(bytes);
  if (!file.ok()) return file.status();
  if (file->format == FileFormat::kMp3) return Mp3File::Open(file->bytes);
  return SoundFile::Open(file->format, file->bytes, limits);
}

OpenedSource OpenEncoded(const EncodedAudio& audio, const AudioLimits& limits) {
  absl::StatusOr<std::unique_ptr<SampleSource>> source = OpenFile(audio.bytes, limits);
  absl::Status status = source.status();
  if (status.ok()) status = CheckSampleRate((*source)->sample_rate_hz(), limits);
  if (status.ok()) status = CheckChannelCount((*source)->channel_count(), limits);
  if (!status.ok()) return AudioError{status, AudioField::kEncoded};
  return *std::move(source);
}

absl::Status NonFiniteError(float value, int64_t sample, int64_t channel) {
  return absl::InvalidArgumentError(
      absl::StrCat("sample ", sample, " of channel ", channel, " (both counted from 0) is ",
                   std::isnan(value) ? "NaN" : "infinite, or beyond the range of 32-bit floats",
                   "; every sample must be a finite number"));
}

// Takes interleaved values, piece by piece, and makes the clip of them.
class ClipMaker {
 public:
  ClipMaker(const SampleSource& source, std::unique_ptr<Resampler> resampler)
      : channel_count_(source.channel_count()),
        is_always_finite_(source.is_always_finite()),
        resampler_(std::move(resampler)) {}

  // Makes room for a clip of so many samples, if take_room allows. False, and nothing done, when it does not.
  bool Reserve(int64_t clip_samples, const std::function<bool(int64_t)>& take_room) {
    const auto held = static_cast<int64_t>(clip_.capacity());
    if (clip_samples <= held) return true;
    // By half at least, so that a clip is not moved at every piece.
    const int64_t room = std::max(clip_samples, held + held / 2);
    if (take_room && !take_room((room - held) * static_cast<int64_t>(sizeof(float)))) return false;
    clip_.reserve(room);
    return true;
  }
  int64_t samples_taken() const { return samples_taken_; }

  // Overwrites the values.
  absl::Status Append(absl::Span<float> values) {
    if (const int64_t bad = is_always_finite_ ? -1 : FindNonFinite(values); bad >= 0) {
      return NonFiniteError(values[bad], samples_taken_ + bad / channel_count_, bad % channel_count_);
    }
    const absl::Span<const float> mono = MixDown(values, channel_count_);
    samples_taken_ += static_cast<int64_t>(mono.size());
    if (resampler_ != nullptr) return resampler_->Append(mono, &clip_);
    clip_.insert(clip_.end(), mono.begin(), mono.end());
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<float>> Finish() {
    if (samples_taken_ == 0) return absl::InvalidArgumentError("the clip is empty: the file has no samples");
    if (resampler_ != nullptr) {
      if (absl::Status status = resampler_->Finish(&clip_); !status.ok()) return status;
      // The filter's overshoot can leave the range of floats where the samples were almost out of it.
      if (FindNonFinite(clip_) >= 0) {
        return absl::InvalidArgumentError(
            "the samples are too large: resampled, they are beyond the range of 32-bit floats");
      }
    }
    return std::move(clip_);
  }

 private:
  const int64_t channel_count_;
  const bool is_always_finite_;
  const std::unique_ptr<Resampler> resampler_;  // Null: the rate stays.
  std::vector<float> clip_;
  int64_t samples_taken_ = 0;
};

absl::StatusOr<std::vector<float>> DecodeSamples(SampleSource& source, const AudioLimits& limits, int sample_rate_hz,
                                                 const std::function<bool()>& is_cancelled,
                                                 const std::function<bool(int64_t)>& take_room) {
  const absl::Status no_room = absl::CancelledError("there is no room for this clip");
  const int64_t channels = source.channel_count();
  const int64_t source_rate_hz = source.sample_rate_hz();
  const int64_t max_samples = MaxSamples(limits, source_rate_hz);
  const std::optional<int64_t> claimed = source.claimed_samples();
  if (claimed && *claimed > max_samples) {
    const double seconds = static_cast<double>(*claimed) / static_cast<double>(source_rate_hz);
    return TooLongError(limits, absl::StrFormat("%.3f s are claimed", seconds));
  }
  std::unique_ptr<Resampler> resampler;
  if (source_rate_hz != sample_rate_hz) {
    absl::StatusOr<std::unique_ptr<Resampler>> created = Resampler::Create(source_rate_hz, sample_rate_hz);
    if (!created.ok()) return created.status();
    resampler = *std::move(created);
  }
  ClipMaker maker(source, std::move(resampler));
  // Room for the resampler's last piece too, so that a clip that is as long as it claims is never moved.
  const auto room_for = [&](int64_t samples) {
    return Resampler::ResampledCount(samples + kPieceValues, source_rate_hz, sample_rate_hz) + 1024;
  };
  if (claimed && !maker.Reserve(std::min(room_for(*claimed), kMaxReservedSamples), take_room)) return no_room;
  std::vector<float> piece(kPieceValues / channels * channels);
  while (true) {
    if (is_cancelled && is_cancelled()) return absl::CancelledError("nobody waits for this clip any more");
    if (!maker.Reserve(room_for(maker.samples_taken()), take_room)) return no_room;
    const absl::StatusOr<int64_t> count = source.Read(absl::MakeSpan(piece));
    if (!count.ok()) return count.status();
    if (*count == 0) return maker.Finish();
    if (maker.samples_taken() + *count > max_samples) return TooLongError(limits, "it goes on after that");
    if (absl::Status status = maker.Append(absl::MakeSpan(piece).first(*count * channels)); !status.ok()) return status;
  }
}

struct SourceLength {
  int64_t samples = 0;
  int64_t sample_rate_hz = 0;
};

// Where it is known without decoding, and the source's form is right.
std::optional<SourceLength> LengthOf(const AudioSource& source, const AudioLimits& limits) {
  if (const auto* pcm = std::get_if<PcmAudio>(&source)) {
    if (CheckPcm(*pcm, limits)) return std::nullopt;
    return SourceLength{PcmSource(*pcm).claimed_samples().value(), pcm->sample_rate_hz};
  }
  const absl::StatusOr<RecognizedFile> file = RecognizeFile(std::get<EncodedAudio>(source).bytes);
  if (!file.ok() || file->format != FileFormat::kWav) return std::nullopt;
  const absl::StatusOr<WavFile> wav = ParseWavFile(file->bytes);
  if (!wav.ok() || !wav->sample_count || !CheckSampleRate(wav->sample_rate_hz, limits).ok() ||
      !CheckChannelCount(wav->channel_count, limits).ok()) {
    return std::nullopt;
  }
  return SourceLength{*wav->sample_count, wav->sample_rate_hz};
}

}  // namespace

std::variant<std::vector<float>, AudioError> DecodeAudio(const AudioSource& source, const AudioLimits& limits,
                                                         int sample_rate_hz, const std::function<bool()>& is_cancelled,
                                                         const std::function<bool(int64_t)>& take_room) {
  const auto* pcm = std::get_if<PcmAudio>(&source);
  OpenedSource opened = pcm != nullptr ? OpenPcm(*pcm, limits) : OpenEncoded(std::get<EncodedAudio>(source), limits);
  if (auto* error = std::get_if<AudioError>(&opened)) return std::move(*error);
  absl::StatusOr<std::vector<float>> clip =
      DecodeSamples(*std::get<std::unique_ptr<SampleSource>>(opened), limits, sample_rate_hz, is_cancelled, take_room);
  if (!clip.ok()) return AudioError{clip.status(), pcm != nullptr ? AudioField::kSamples : AudioField::kEncoded};
  return *std::move(clip);
}

int64_t CountDecodedSamples(const AudioSource& source, const AudioLimits& limits, int sample_rate_hz) {
  const std::optional<SourceLength> length = LengthOf(source, limits);
  if (!length || length->samples > MaxSamples(limits, length->sample_rate_hz)) return 0;
  return Resampler::ResampledCount(length->samples, length->sample_rate_hz, sample_rate_hz);
}

}  // namespace hearwire
