// Writes features into the rows of an embedder's batch.

#ifndef HEARWIRE_MODELS_NATIVE_ROW_WRITER_H_
#define HEARWIRE_MODELS_NATIVE_ROW_WRITER_H_

#include <array>
#include <cstddef>
#include <vector>

#include "models/configs/network_shape.h"
#include "models/embedder.h"
#include "models/native/aligned_floats.h"
#include "models/native/kernels.h"
#include "models/native/map_size.h"

namespace hearwire {

// Of one network, with a worker's memory for pooling. One thread at a time.
class RowWriter {
 public:
  // shape: outlives this.
  RowWriter(const Kernels& kernels, const NetworkShape& shape, int n_mels)
      : kernels_(kernels), shape_(shape), n_mels_(n_mels) {}

  // Each writes a feature into the part of every readout of the request that has it.
  void WriteMelAverages(const WindowRequest& request);
  void WriteVector(const WindowRequest& request, Feature feature, const float* values);
  // map: [size.rows, size.cols, stride], block's output for this window.
  void WriteBlock(const WindowRequest& request, int block, const float* map, MapSize size, size_t stride);

 private:
  using Offsets = std::array<int, static_cast<size_t>(Feature::kEnd)>;
  struct Layout {
    Readout readout;
    Offsets offsets;
    int size;  // Of all its features.
  };

  // Calls write(readout, place) for every readout that has the feature.
  template <typename Write>
  void ForEachReadout(const WindowRequest& request, Feature feature, Write write);
  // Valid until the next call.
  const Layout& LayoutOf(const Readout& readout);

  const Kernels kernels_;
  const NetworkShape& shape_;
  const int n_mels_;
  std::vector<Layout> layouts_;  // Of the readouts seen so far.
  AlignedFloats sums_;           // Over time: [cols, stride]
  AlignedFloats maxima_;
  AlignedFloats totals_;  // Over time and mels: [2, stride]
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_NATIVE_ROW_WRITER_H_
