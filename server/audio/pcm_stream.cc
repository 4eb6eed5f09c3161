#include "server/audio/pcm_stream.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/audio/check_pcm.h"
#include "server/audio/clip_decoder.h"
#include "server/audio/pcm_source.h"
#include "server/audio/resampler.h"

namespace hearwire {
namespace {

constexpr int64_t kPieceValues = 8192;  // They stay in the first-level cache.

std::optional<AudioError> InSamples(absl::Status status) {
  if (status.ok()) return std::nullopt;
  return AudioError{std::move(status), AudioField::kSamples};
}

}  // namespace

std::variant<std::unique_ptr<PcmStream>, AudioError> PcmStream::Create(const PcmAudio& format,
                                                                       const AudioLimits& limits, int64_t first_sample,
                                                                       int sample_rate_hz) {
  if (std::optional<AudioError> error = CheckPcmFormat(format, limits)) return std::move(*error);
  if (first_sample < 0 || first_sample > kMaxFirstSample) {
    return AudioError{
        absl::InvalidArgumentError(absl::StrCat("a first sample of ", first_sample, " is out of range; 0 to ",
                                                kMaxFirstSample, " are accepted")),
        AudioField::kSource};
  }
  const Start start = FindStart(first_sample, format.sample_rate_hz, sample_rate_hz);
  absl::StatusOr<std::unique_ptr<SampleConverter>> converter =
      SampleConverter::Create({.sample_rate_hz = format.sample_rate_hz,
                               .channel_count = format.channel_count,
                               .is_always_finite = format.encoding == PcmAudio::Encoding::kLinear16,
                               .first_sample = first_sample + start.skip},
                              sample_rate_hz);
  if (!converter.ok()) return AudioError{converter.status(), AudioField::kSource};
  return std::unique_ptr<PcmStream>(new PcmStream(format, first_sample, start, sample_rate_hz, *std::move(converter)));
}

PcmStream::Start PcmStream::FindStart(int64_t first_sample, int64_t input_rate_hz, int sample_rate_hz) {
  if (first_sample == 0 || input_rate_hz == sample_rate_hz) return {0, 0, first_sample};
  const int64_t common = std::gcd(input_rate_hz, int64_t{sample_rate_hz});
  const int64_t unit = input_rate_hz / common;
  const int64_t units = (first_sample + unit - 1) / unit;
  const int64_t settle = Resampler::SettleCount(input_rate_hz, sample_rate_hz);
  return {units * unit - first_sample, settle, units * (sample_rate_hz / common) + settle};
}

int64_t PcmStream::ResumeSample(int64_t mono_sample, int64_t input_rate_hz, int sample_rate_hz) {
  if (input_rate_hz == sample_rate_hz) return mono_sample;
  const int64_t common = std::gcd(input_rate_hz, int64_t{sample_rate_hz});
  const int64_t settled = mono_sample - Resampler::SettleCount(input_rate_hz, sample_rate_hz);
  return std::max<int64_t>(settled, 0) / (sample_rate_hz / common) * (input_rate_hz / common);
}

PcmStream::PcmStream(const PcmAudio& format, int64_t first_sample, const Start& start, int sample_rate_hz,
                     std::unique_ptr<SampleConverter> converter)
    : format_{format.encoding, format.sample_rate_hz, format.channel_count, {}},
      first_sample_(first_sample),
      first_mono_sample_(start.first_mono_sample),
      sample_bytes_(static_cast<size_t>(format.channel_count * PcmSource::BytesPerValue(format.encoding))),
      sample_rate_hz_(sample_rate_hz),
      converter_(std::move(converter)),
      to_skip_(start.skip),
      to_settle_(start.settle),
      values_(kPieceValues / format.channel_count * format.channel_count) {}

int64_t PcmStream::step_bytes() const {
  const int64_t samples = ClipDecoder::kStepSamples * format_.sample_rate_hz / sample_rate_hz_;
  return std::max<int64_t>(samples, 1) * static_cast<int64_t>(sample_bytes_);
}

std::optional<AudioError> PcmStream::Append(std::string_view bytes, std::vector<float>* samples) {
  if (!part_.empty()) {
    const size_t missing = std::min(sample_bytes_ - part_.size(), bytes.size());
    part_.append(bytes.substr(0, missing));
    bytes.remove_prefix(missing);
    if (part_.size() < sample_bytes_) return std::nullopt;
    if (absl::Status status = AppendWhole(part_, samples); !status.ok()) return InSamples(std::move(status));
  }
  const size_t whole = bytes.size() - bytes.size() % sample_bytes_;
  part_.assign(bytes.substr(whole));
  return InSamples(AppendWhole(bytes.substr(0, whole), samples));
}

absl::Status PcmStream::AppendWhole(std::string_view bytes, std::vector<float>* samples) {
  const int64_t skip = std::min(to_skip_, static_cast<int64_t>(bytes.size() / sample_bytes_));
  to_skip_ -= skip;
  skipped_ += skip;
  PcmAudio audio = format_;
  audio.samples = bytes.substr(static_cast<size_t>(skip) * sample_bytes_);
  PcmSource source(audio);
  while (true) {
    const absl::StatusOr<int64_t> count = source.Read(absl::MakeSpan(values_));
    if (!count.ok()) return count.status();
    if (*count == 0) return absl::OkStatus();
    const absl::Span<float> values = absl::MakeSpan(values_).first(*count * format_.channel_count);
    const size_t before = samples->size();
    absl::Status status = converter_->Append(values, samples);
    LeaveOutUnsettled(before, samples);
    if (!status.ok()) return status;
  }
}

void PcmStream::LeaveOutUnsettled(size_t before, std::vector<float>* samples) {
  const int64_t count = std::min(to_settle_, static_cast<int64_t>(samples->size() - before));
  to_settle_ -= count;
  const auto begin = samples->begin() + static_cast<std::ptrdiff_t>(before);
  samples->erase(begin, begin + count);
}

std::optional<AudioError> PcmStream::Finish(std::vector<float>* samples) {
  const auto bytes = samples_taken() * static_cast<int64_t>(sample_bytes_) + static_cast<int64_t>(part_.size());
  if (bytes > 0 || first_sample_ == 0) {
    if (absl::Status status = CheckPcmBytes(format_, bytes); !status.ok()) return InSamples(std::move(status));
  }
  const size_t before = samples->size();
  absl::Status status = converter_->Finish(samples);
  LeaveOutUnsettled(before, samples);
  return InSamples(std::move(status));
}

}  // namespace hearwire
