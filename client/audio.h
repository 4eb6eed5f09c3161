// One clip to send: raw samples, or the bytes of an audio file.

#ifndef HEARWIRE_CLIENT_AUDIO_H_
#define HEARWIRE_CLIENT_AUDIO_H_

#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "export.h"  // Beside this file, in the source tree and installed.

namespace hearwire::client {

struct Audio {
  enum class Encoding {
    kFile,      // A whole WAV, FLAC, Ogg (Vorbis, Opus, FLAC), MP3, AIFF, AU or CAF file.
    kLinear16,  // Signed 16-bit samples; 32768 is full scale.
    kFloat32,   // 1.0 is full scale; larger values are taken as they are.
  };

  Encoding encoding = Encoding::kFile;
  std::string bytes;       // The file, or little-endian samples with their channels interleaved.
  int sample_rate_hz = 0;  // 1000 to 384000; of no meaning for kFile.
  int channels = 1;        // 1 to 32; likewise.
};

// `bytes` is the content of an audio file, not its name.
HEARWIRE_CLIENT_EXPORT Audio EncodedAudio(std::string bytes);

// Copies the samples. Channels are interleaved: samples.size() is a multiple of `channels`. The server checks.
HEARWIRE_CLIENT_EXPORT Audio PcmAudio(absl::Span<const float> samples, int sample_rate_hz, int channels = 1);
HEARWIRE_CLIENT_EXPORT Audio PcmAudio(absl::Span<const int16_t> samples, int sample_rate_hz, int channels = 1);

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_AUDIO_H_
