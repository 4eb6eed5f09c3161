// Runs one inverted residual block over windows of equal size.

#ifndef HEARWIRE_MODELS_NATIVE_BLOCK_PASS_H_
#define HEARWIRE_MODELS_NATIVE_BLOCK_PASS_H_

#include "models/native/aligned_floats.h"
#include "models/native/kernels.h"
#include "models/native/map_size.h"
#include "models/native/packed_network.h"
#include "models/native/products.h"
#include "models/native/rolling_rows.h"

namespace hearwire {

// A worker's memory for blocks. The expanded channels, by far the largest, exist for a few windows or a few rows of one
// window at a time, so that they stay in the second-level cache between the convolution that makes them and the one
// that reads them. One thread at a time.
class BlockPass {
 public:
  // products: outlive this.
  BlockPass(const Kernels& kernels, Products& products) : kernels_(kernels), products_(products) {}

  // in: [windows, size.rows, size.cols, channels]; out: likewise, of size.Strided(stride). Not the same memory.
  void Run(const PackedBlock& block, MapSize size, int windows, const float* in, float* out);

  // The outputs of fc1 of the last Run's window, before their ReLU: [squeeze channels].
  const float* squeeze(int window) const { return squeeze_.data() + static_cast<size_t>(window) * squeeze_stride_; }

 private:
  // How a block is cut into pieces: several whole windows at a time, or one window some output rows at a time.
  struct Pieces {
    int windows = 1;
    int out_rows = 1;
  };
  // Rows of the depthwise convolution's input.
  struct Expanded {
    const float* rows = nullptr;
    int first = 0;
  };

  Pieces CutIntoPieces(const PackedBlock& block, MapSize size) const;
  void RunWindows(const PackedBlock& block, MapSize size, int windows, int out_rows, const float* in, float* out,
                  float* squeeze);
  // Rows [first_row, end_row) of the windows; those that the piece before has expanded already are not computed again.
  Expanded Expand(const PackedBlock& block, MapSize size, int windows, int first_row, int end_row, const float* in);
  // depthwise_: the windows' activations; out: their projection.
  void SqueezeAndProject(const PackedBlock& block, MapSize out_size, int windows, const float* residual, float* out,
                         float* squeeze);

  const Kernels kernels_;
  Products& products_;
  RollingRows expanded_;
  AlignedFloats depthwise_;
  AlignedFloats means_;    // [windows, expanded stride]
  AlignedFloats squeeze_;  // [windows of the whole Run, squeeze stride]
  AlignedFloats hidden_;   // [windows, squeeze stride]
  AlignedFloats gates_;    // [windows, expanded stride]
  AlignedFloats gated_weights_;
  size_t squeeze_stride_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_NATIVE_BLOCK_PASS_H_
