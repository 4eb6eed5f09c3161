// Pre-emphasis: y[n] = x[n + 1] - kPreEmphasis x[n].

#ifndef HEARWIRE_MODELS_LOG_MEL_PRE_EMPHASIS_H_
#define HEARWIRE_MODELS_LOG_MEL_PRE_EMPHASIS_H_

#include <cstddef>

namespace hearwire {

inline constexpr float kPreEmphasis = 0.97f;

float PreEmphasise(float sample, float next);

// Each of samples[count + 1] with its next one, to out[count]: in their order, or the last one first. The same numbers
// as one by one.
void PreEmphasise(const float* samples, size_t count, float* out);
void PreEmphasiseBackwards(const float* samples, size_t count, float* out);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_LOG_MEL_PRE_EMPHASIS_H_
