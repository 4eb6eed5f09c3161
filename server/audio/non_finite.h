// Values that are no numbers.

#ifndef HEARWIRE_SERVER_AUDIO_NON_FINITE_H_
#define HEARWIRE_SERVER_AUDIO_NON_FINITE_H_

#include <cstdint>

#include "absl/types/span.h"

namespace hearwire {

// Index of the first value that is NaN or infinite; -1: all are finite.
int64_t FindNonFinite(absl::Span<const float> values);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_NON_FINITE_H_
