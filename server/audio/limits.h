// AudioLimits as checks, with the messages that callers see.

#ifndef HEARWIRE_SERVER_AUDIO_LIMITS_H_
#define HEARWIRE_SERVER_AUDIO_LIMITS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "server/audio/decode_audio.h"

namespace hearwire {

// INVALID_ARGUMENT with what would be right.
absl::Status CheckSampleRate(int64_t sample_rate_hz, const AudioLimits& limits);
absl::Status CheckChannelCount(int64_t channel_count, const AudioLimits& limits);

// max_decoded in samples; at most 2^40, so that no product with a rate overflows.
int64_t MaxSamples(const AudioLimits& limits, int64_t sample_rate_hz);

// RESOURCE_EXHAUSTED; `found` says what the clip has instead.
absl::Status TooLongError(const AudioLimits& limits, const std::string& found);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_LIMITS_H_
