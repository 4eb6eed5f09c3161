#include "client/audio.h"

#include <bit>
#include <utility>

namespace hearwire::client {
namespace {

static_assert(std::endian::native == std::endian::little, "samples are copied as the processor holds them");

template <typename Sample>
Audio Pcm(Audio::Encoding encoding, absl::Span<const Sample> samples, int sample_rate_hz, int channels) {
  return {encoding, std::string(reinterpret_cast<const char*>(samples.data()), samples.size() * sizeof(Sample)),
          sample_rate_hz, channels};
}

}  // namespace

Audio EncodedAudio(std::string bytes) {
  Audio audio;
  audio.bytes = std::move(bytes);
  return audio;
}

Audio PcmAudio(absl::Span<const float> samples, int sample_rate_hz, int channels) {
  return Pcm(Audio::Encoding::kFloat32, samples, sample_rate_hz, channels);
}

Audio PcmAudio(absl::Span<const int16_t> samples, int sample_rate_hz, int channels) {
  return Pcm(Audio::Encoding::kLinear16, samples, sample_rate_hz, channels);
}

}  // namespace hearwire::client
