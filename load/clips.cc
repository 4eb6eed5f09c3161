#include "load/clips.h"

#include <sndfile.h>

#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "client/cli/inputs.h"

namespace hearwire::load {
namespace {

static_assert(std::endian::native == std::endian::little, "samples are copied as the processor holds them");

constexpr int64_t kMostFileBytes = int64_t{1} << 30;

}  // namespace

Clip NoiseClip(double seconds, int sample_rate_hz, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<int16_t> samples(static_cast<size_t>(std::llround(seconds * sample_rate_hz)));
  for (size_t i = 0; i < samples.size(); ++i) {
    const double swell = 1 + std::sin(6.2832 * 3 * static_cast<double>(i) / sample_rate_hz);
    // Uniform noise from the generator's top bits, at most a quarter of full scale.
    const auto noise = static_cast<double>(static_cast<int16_t>(random() >> 48));
    samples[i] = static_cast<int16_t>(noise * swell / 8);
  }
  Clip clip;
  v1::Pcm& pcm = *clip.audio.mutable_pcm();
  pcm.set_encoding(v1::Pcm::ENCODING_LINEAR16);
  pcm.set_sample_rate_hertz(static_cast<uint32_t>(sample_rate_hz));
  pcm.set_channel_count(1);
  pcm.set_samples(samples.data(), samples.size() * sizeof(int16_t));
  clip.seconds = static_cast<double>(samples.size()) / sample_rate_hz;
  return clip;
}

absl::StatusOr<Clip> FileClip(const std::string& path) {
  absl::StatusOr<std::string> bytes = cli::ReadInput({.path = path, .outputs = ""}, kMostFileBytes);
  if (!bytes.ok()) return bytes.status();
  Clip clip;
  clip.audio.set_encoded(*std::move(bytes));
  SF_INFO info = {};
  if (SNDFILE* file = sf_open(path.c_str(), SFM_READ, &info); file != nullptr) {
    clip.seconds = static_cast<double>(info.frames) / info.samplerate;
    sf_close(file);
  }
  return clip;
}

}  // namespace hearwire::load
