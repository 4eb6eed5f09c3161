#include "server/audio/clip_decoder.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "server/audio/check_pcm.h"
#include "server/audio/file_format.h"
#include "server/audio/limits.h"
#include "server/audio/mp3_file.h"
#include "server/audio/ogg_chain.h"
#include "server/audio/pcm_source.h"
#include "server/audio/resampler.h"
#include "server/audio/sample_file.h"
#include "server/audio/sound_file.h"

namespace hearwire {
namespace {

constexpr int64_t kPieceValues = 8192;  // They stay in the first-level cache.
constexpr size_t kOggBytesPerStep = size_t{256} << 10;

}  // namespace

ClipDecoder::ClipDecoder(const AudioSource& source, const AudioLimits& limits, int sample_rate_hz)
    : source_(source), limits_(limits), sample_rate_hz_(sample_rate_hz) {}

ClipDecoder::~ClipDecoder() = default;

std::variant<ClipDecoder::Progress, AudioError> ClipDecoder::Step(std::vector<float>* samples) {
  const auto* pcm = std::get_if<PcmAudio>(&source_);
  const AudioField field = pcm != nullptr ? AudioField::kSamples : AudioField::kEncoded;
  if (converter_ != nullptr) {
    const absl::StatusOr<Progress> progress = Decode(samples);
    if (!progress.ok()) return AudioError{progress.status(), field};
    return *progress;
  }
  std::unique_ptr<SampleSource> source;
  if (pcm != nullptr) {
    if (std::optional<AudioError> error = CheckPcmFormat(*pcm, limits_)) return std::move(*error);
    if (absl::Status status = CheckPcmBytes(*pcm, static_cast<int64_t>(pcm->samples.size())); !status.ok()) {
      return AudioError{status, field};
    }
    source = std::make_unique<PcmSource>(*pcm);
  } else {
    absl::StatusOr<std::unique_ptr<SampleSource>> opened = OpenStep();
    if (!opened.ok()) return AudioError{opened.status(), field};
    source = *std::move(opened);
  }
  if (source == nullptr) return Progress::kMore;
  if (absl::Status status = Start(std::move(source)); !status.ok()) return AudioError{status, field};
  return Progress::kMore;
}

absl::StatusOr<std::unique_ptr<SampleSource>> ClipDecoder::OpenStep() {
  const absl::StatusOr<RecognizedFile> file = RecognizeFile(std::get<EncodedAudio>(source_).bytes);
  if (!file.ok()) return file.status();
  switch (file->format) {
    case FileFormat::kWav:
    case FileFormat::kW64:
    case FileFormat::kAiff:
    case FileFormat::kAu:
    case FileFormat::kCaf: {
      absl::StatusOr<SampleFile> samples = ParseSampleFile(file->format, file->bytes);
      if (!samples.ok()) return samples.status();
      if (samples->holds_mp3) return Mp3File::Open(samples->samples);
      return SoundFile::OpenSamples(*std::move(samples), limits_);
    }
    case FileFormat::kFlac:
      return SoundFile::OpenFlac(file->bytes);
    case FileFormat::kOgg:
      return OpenOgg(file->bytes);
    case FileFormat::kMp3:
      return Mp3File::Open(file->bytes);
  }
  return absl::InternalError("a file format without a decoder");
}

absl::StatusOr<std::unique_ptr<SampleSource>> ClipDecoder::OpenOgg(std::string_view bytes) {
  if (!ogg_) ogg_.emplace(bytes);
  const absl::StatusOr<bool> scanned = ogg_->Step(kOggBytesPerStep);
  if (!scanned.ok()) return scanned.status();
  if (!*scanned) return nullptr;
  return hearwire::OpenOgg(ogg_->links(), limits_);
}

absl::Status ClipDecoder::Start(std::unique_ptr<SampleSource> source) {
  const int64_t rate_hz = source->sample_rate_hz();
  const int64_t channels = source->channel_count();
  if (absl::Status status = CheckSampleRate(rate_hz, limits_); !status.ok()) return status;
  if (absl::Status status = CheckChannelCount(channels, limits_); !status.ok()) return status;
  max_samples_ = MaxSamples(limits_, rate_hz);
  if (const std::optional<int64_t> claimed = source->claimed_samples()) {
    if (*claimed > max_samples_) {
      const double seconds = static_cast<double>(*claimed) / static_cast<double>(rate_hz);
      return TooLongError(limits_, absl::StrFormat("%.3f s are claimed", seconds));
    }
    claimed_samples_ = Resampler::ResampledCount(*claimed, rate_hz, sample_rate_hz_);
  }
  absl::StatusOr<std::unique_ptr<SampleConverter>> converter = SampleConverter::Create(
      {.sample_rate_hz = rate_hz, .channel_count = channels, .is_always_finite = source->is_always_finite()},
      sample_rate_hz_);
  if (!converter.ok()) return converter.status();
  converter_ = *std::move(converter);
  const int64_t piece_samples = std::min(kPieceValues / channels, kStepSamples * rate_hz / sample_rate_hz_);
  piece_values_ = std::max<int64_t>(piece_samples, 1) * channels;
  piece_ = std::make_unique_for_overwrite<float[]>(static_cast<size_t>(piece_values_));
  opened_ = std::move(source);
  return absl::OkStatus();
}

absl::StatusOr<ClipDecoder::Progress> ClipDecoder::Decode(std::vector<float>* samples) {
  const absl::Span<float> piece(piece_.get(), static_cast<size_t>(piece_values_));
  const absl::StatusOr<int64_t> count = opened_->Read(piece);
  if (!count.ok()) return count.status();
  if (*count == 0) {
    if (converter_->samples_taken() == 0) {
      return absl::InvalidArgumentError("the clip is empty: the file has no samples");
    }
    if (absl::Status status = converter_->Finish(samples); !status.ok()) return status;
    return Progress::kEnd;
  }
  if (converter_->samples_taken() + *count > max_samples_) return TooLongError(limits_, "it goes on after that");
  const absl::Span<float> values = piece.first(static_cast<size_t>(*count * opened_->channel_count()));
  if (absl::Status status = converter_->Append(values, samples); !status.ok()) return status;
  return Progress::kMore;
}

int64_t ClipDecoder::MostAfterStep() const {
  if (opened_ == nullptr) return 0;
  const int64_t piece_samples = piece_values_ / opened_->channel_count();
  return Resampler::ResampledCount(converter_->samples_taken() + piece_samples, opened_->sample_rate_hz(),
                                   sample_rate_hz_);
}

}  // namespace hearwire
