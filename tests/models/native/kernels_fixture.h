// What tests of kernels share.

#ifndef HEARWIRE_TESTS_MODELS_NATIVE_KERNELS_FIXTURE_H_
#define HEARWIRE_TESTS_MODELS_NATIVE_KERNELS_FIXTURE_H_

#include <algorithm>
#include <random>
#include <vector>

#include "models/native/aligned_floats.h"
#include "models/native/kernels.h"
#include "tests/models/native/targets.h"

namespace hearwire {

class KernelsTest : public TargetTest {
 protected:
  // count values in [-1, 1]; what is behind `channels` in each row of `stride` is zero.
  AlignedFloats Values(size_t count, size_t stride = 1, size_t channels = 1) {
    AlignedFloats values(count * stride);
    for (size_t i = 0; i < count * stride; ++i) {
      if (i % stride < channels) values.data()[i] = uniform_(random_);
    }
    return values;
  }
  std::vector<float> Vector(size_t count) {
    std::vector<float> values(count);
    for (float& value : values) value = uniform_(random_);
    return values;
  }

 private:
  std::mt19937 random_{1};
  std::uniform_real_distribution<float> uniform_{-1, 1};
};

// rows: [cols, stride], channels last; to half planes, [channels, half].
inline AlignedFloats ToHalfPlanes(const AlignedFloats& rows, size_t stride, int cols, int channels, size_t half) {
  AlignedFloats planes(channels * half);
  for (int col = 0; col < cols; ++col) {
    for (int channel = 0; channel < channels; ++channel) {
      planes.data()[channel * half + col] = rows.data()[col * stride + channel];
    }
  }
  return planes;
}

inline double Apply(Activation activation, double x) {
  if (activation == Activation::kRelu) return std::max(x, 0.0);
  if (activation == Activation::kHardswish) return x * std::clamp(x + 3, 0.0, 6.0) / 6;
  return x;
}

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_MODELS_NATIVE_KERNELS_FIXTURE_H_
