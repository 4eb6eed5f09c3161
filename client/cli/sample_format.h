// Raw samples as files and pipes hold them, and as they travel.

#ifndef HEARWIRE_CLIENT_CLI_SAMPLE_FORMAT_H_
#define HEARWIRE_CLIENT_CLI_SAMPLE_FORMAT_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/audio.h"

namespace hearwire::cli {

// Little-endian, channels interleaved.
struct SampleFormat {
  enum class Encoding { kU8, kS16, kS24, kS32, kF32, kF64 };

  Encoding encoding = Encoding::kS16;
  int sample_rate_hz = 0;
  int channels = 1;
};

// "u8", "s16", "s24", "s32", "f32", "f64".
std::vector<std::string> EncodingNames();
std::optional<SampleFormat::Encoding> EncodingByName(std::string_view name);

int SampleBytes(SampleFormat::Encoding encoding);

// What samples of an encoding travel as: 16-bit integers and floats as they are, others as floats.
client::Audio::Encoding WireEncoding(SampleFormat::Encoding encoding);

// Turns bytes into those that travel, full scale to full scale. Not thread-safe.
class SampleConverter {
 public:
  explicit SampleConverter(SampleFormat::Encoding encoding) : encoding_(encoding) {}

  // The pieces of a recording, in order, cut anywhere. What ends within a sample is completed by the next piece. Valid
  // until the next call.
  std::string_view Convert(std::string_view bytes);

 private:
  const SampleFormat::Encoding encoding_;
  std::string rest_;  // The start of a sample.
  std::string converted_;
};

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_SAMPLE_FORMAT_H_
