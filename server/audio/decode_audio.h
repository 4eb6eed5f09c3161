// From a caller's bytes to a clip: mono float samples at the model's rate.

#ifndef HEARWIRE_SERVER_AUDIO_DECODE_AUDIO_H_
#define HEARWIRE_SERVER_AUDIO_DECODE_AUDIO_H_

#include <cstdint>
#include <functional>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hearwire {

// Raw samples, little-endian, channels interleaved. A view.
struct PcmAudio {
  // Numbered as in the wire format, so that a caller's number can be passed on unseen: others than these two are
  // refused.
  enum class Encoding { kUnspecified = 0, kLinear16 = 1, kFloat32 = 2 };
  Encoding encoding = Encoding::kFloat32;
  int64_t sample_rate_hz = 0;
  int64_t channel_count = 1;
  std::string_view samples;
};

// A whole WAV, FLAC, Ogg (Vorbis, Opus, FLAC), MP3, AIFF, AU or CAF file. A view.
struct EncodedAudio {
  std::string_view bytes;
};

using AudioSource = std::variant<PcmAudio, EncodedAudio>;

struct AudioLimits {
  int64_t min_sample_rate_hz = 1000;
  int64_t max_sample_rate_hz = 384000;
  int64_t max_channel_count = 32;
  // Longest clip, whatever its bytes or its header claim; looked at while decoding, so that nothing longer is ever
  // held.
  absl::Duration max_decoded = absl::Minutes(60);
};

// A failure says which part of the source is wrong, so that the service can name the field.
enum class AudioField { kSource, kEncoding, kSampleRate, kChannelCount, kSamples, kEncoded };

struct AudioError {
  absl::Status status;  // INVALID_ARGUMENT; RESOURCE_EXHAUSTED for clips over max_decoded; CANCELLED.
  AudioField field = AudioField::kSource;
};

// Decodes, averages the channels and resamples (libsoxr, very high quality; none when the rate is sample_rate_hz
// already) in bounded pieces. The clip has round(n * sample_rate_hz / rate) finite samples for n at the source's rate,
// and begins when the source begins; mono samples at sample_rate_hz stay as they are, bit for bit.
//
// Fails for: no samples; a byte count that is no multiple of a sample of all channels; a rate or channel count out of
// the limits; NaN or infinity (the message says at which sample and channel); bytes that are no audio file, or of a
// format that is not accepted; a file that ends before its header says (seconds found and claimed; a WAV whose length
// is 0 or all ones, or what sox writes when it cannot know, is a stream and is read to its end, and so are its like); a
// damaged file; a clip over max_decoded. Messages name the formats and limits that would be right.
//
// Memory is that of the samples decoded so far (half as much again while a long clip grows), whatever a header claims,
// and a few mebibytes. Before each step of a ClipDecoder, on this thread: is_cancelled, where given, is asked,
// and once it says true, the answer is CANCELLED; take_room, where given, is asked before the clip grows, with the
// bytes that it is about to take up beyond those asked for so far, and once it says false, the answer is CANCELLED too.
// Thread-safe.
std::variant<std::vector<float>, AudioError> DecodeAudio(const AudioSource& source, const AudioLimits& limits,
                                                         int sample_rate_hz,
                                                         const std::function<bool()>& is_cancelled = nullptr,
                                                         const std::function<bool(int64_t)>& take_room = nullptr);

// How many samples DecodeAudio makes of PCM, of a file (WAV, AIFF, AU, CAF) that holds its samples one by one, or of a
// FLAC file whose header says how many it has, without looking at them. What a FLAC file says may be a lie: DecodeAudio
// then refuses it. 0 where the form or the length is refused already (a WAV file that is shorter than it claims, too),
// and for every other file. Looks at the headers only, at most kMaxChunks or kMaxFlacBlocks parts of them:
// microseconds, whatever the size of the file.
int64_t CountDecodedSamples(const AudioSource& source, const AudioLimits& limits, int sample_rate_hz);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_DECODE_AUDIO_H_
