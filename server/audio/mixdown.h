// Many channels to one.

#ifndef HEARWIRE_SERVER_AUDIO_MIXDOWN_H_
#define HEARWIRE_SERVER_AUDIO_MIXDOWN_H_

#include <cstdint>

#include "absl/types/span.h"

namespace hearwire {

// Replaces interleaved values by the mean of each sample's channels, at the front of `values`, and returns those. Added
// in double precision and rounded once: the mean of finite values is finite.
absl::Span<float> MixDown(absl::Span<float> values, int64_t channel_count);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_MIXDOWN_H_
