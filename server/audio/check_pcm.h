// What raw samples must be, with the messages that callers see.

#ifndef HEARWIRE_SERVER_AUDIO_CHECK_PCM_H_
#define HEARWIRE_SERVER_AUDIO_CHECK_PCM_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "server/audio/decode_audio.h"

namespace hearwire {

// INVALID_ARGUMENT: an encoding, rate or channel count that is not accepted. The samples are not looked at.
std::optional<AudioError> CheckPcmFormat(const PcmAudio& format, const AudioLimits& limits);

// Of a format that is accepted. INVALID_ARGUMENT: no bytes, or no whole number of samples.
absl::Status CheckPcmBytes(const PcmAudio& format, int64_t bytes);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_CHECK_PCM_H_
