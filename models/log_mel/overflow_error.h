// What to say when a spectrogram is not finite.

#ifndef HEARWIRE_MODELS_LOG_MEL_OVERFLOW_ERROR_H_
#define HEARWIRE_MODELS_LOG_MEL_OVERFLOW_ERROR_H_

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace hearwire {

// INVALID_ARGUMENT: names the largest of the samples that it was made of, or says that one is not finite.
absl::Status OverflowError(absl::Span<const float> samples);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_LOG_MEL_OVERFLOW_ERROR_H_
