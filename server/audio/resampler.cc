#include "server/audio/resampler.h"

#include <soxr.h>

#include <algorithm>
#include <string>

namespace hearwire {
namespace {

absl::Status SoxrError(const char* error) { return absl::InternalError(std::string("libsoxr: ") + error); }

}  // namespace

absl::StatusOr<std::unique_ptr<Resampler>> Resampler::Create(int64_t from_hz, int64_t to_hz) {
  const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_VHQ, 0);
  const soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
  soxr_error_t error = nullptr;
  soxr_t stream =
      soxr_create(static_cast<double>(from_hz), static_cast<double>(to_hz), 1, &error, &io, &quality, &runtime);
  if (error != nullptr) return SoxrError(error);
  return std::unique_ptr<Resampler>(new Resampler(stream, from_hz, to_hz));
}

Resampler::~Resampler() { soxr_delete(stream_); }

int64_t Resampler::ResampledCount(int64_t sample_count, int64_t from_hz, int64_t to_hz) {
  // The product of an endless stream's count and a rate leaves 64 bits: whole seconds apart from the rest.
  return sample_count / from_hz * to_hz + (2 * (sample_count % from_hz) * to_hz + from_hz) / (2 * from_hz);
}

int64_t Resampler::SettleCount(int64_t from_hz, int64_t to_hz) {
  // The filter's reach, of 132 to 139 samples of the lower rate as measured, and some more.
  constexpr int64_t kReach = 160;
  return from_hz < to_hz ? kReach * to_hz / from_hz : kReach;
}

absl::Status Resampler::Append(absl::Span<const float> samples, std::vector<float>* resampled) {
  taken_ += static_cast<int64_t>(samples.size());
  while (true) {
    // Room for what these samples make and a little of what was held back; the loop takes care of the rest.
    const auto room = static_cast<size_t>(ResampledCount(static_cast<int64_t>(samples.size()), from_hz_, to_hz_) + 256);
    const size_t begin = resampled->size();
    resampled->resize(begin + room);
    size_t used = 0;
    size_t made = 0;
    const soxr_error_t error =
        soxr_process(stream_, samples.data(), samples.size(), &used, resampled->data() + begin, room, &made);
    if (error != nullptr) return SoxrError(error);
    resampled->resize(begin + made);
    given_ += static_cast<int64_t>(made);
    samples.remove_prefix(used);
    if (samples.empty() && made < room) return absl::OkStatus();
  }
}

absl::Status Resampler::Finish(std::vector<float>* resampled) {
  const int64_t due = ResampledCount(taken_, from_hz_, to_hz_) - given_;
  if (due < 0) return absl::InternalError("libsoxr: more samples came out than went in");
  const size_t begin = resampled->size();
  resampled->resize(begin + due);
  size_t filled = 0;
  while (filled < static_cast<size_t>(due)) {
    size_t made = 0;
    const soxr_error_t error =
        soxr_process(stream_, nullptr, 0, nullptr, resampled->data() + begin + filled, due - filled, &made);
    if (error != nullptr) return SoxrError(error);
    if (made == 0) break;  // What rounding leaves over stays zero.
    filled += made;
  }
  return absl::OkStatus();
}

}  // namespace hearwire
