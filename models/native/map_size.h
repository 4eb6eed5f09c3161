// The size of a map of a convolutional network.

#ifndef HEARWIRE_MODELS_NATIVE_MAP_SIZE_H_
#define HEARWIRE_MODELS_NATIVE_MAP_SIZE_H_

#include <cstddef>

namespace hearwire {

struct MapSize {
  int rows = 0;  // Time.
  int cols = 0;  // Mels.

  size_t pixels() const { return static_cast<size_t>(rows) * static_cast<size_t>(cols); }
  // Behind a convolution padded by half its kernel.
  MapSize Strided(int stride) const { return {(rows + stride - 1) / stride, (cols + stride - 1) / stride}; }
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_NATIVE_MAP_SIZE_H_
