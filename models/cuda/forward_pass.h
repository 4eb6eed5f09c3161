// A forward pass as a list of launches: made without a GPU, run on one.

#ifndef HEARWIRE_MODELS_CUDA_FORWARD_PASS_H_
#define HEARWIRE_MODELS_CUDA_FORWARD_PASS_H_

#include <cstddef>
#include <vector>

#include "models/chunks/column_plan.h"
#include "models/chunks/slot.h"
#include "models/cuda/gpu_network.h"
#include "models/cuda/kernel_args.h"

namespace hearwire {

// Where a pass reads, writes and keeps what lies between. Device addresses.
struct PassInput {
  const float* rows;   // [rows, mels]
  const int* index;    // [windows, frames]
  const int* lengths;  // [windows]
  float* columns;      // [windows, plan width]
  float* scratch;      // [PassFloats]
};

// Floats of scratch that a pass over chunks of the shape needs.
size_t PassFloats(const NetworkShape& network, const ChunkShape& shape);

// How a product of [rows, terms] with [terms, channels] is cut over thread blocks (kernel_args.h). Results do not
// depend on it.
struct PointwiseCut {
  int columns;
  int tiles;
  int warps;

  int rows() const { return warps * tiles * 16; }
};
PointwiseCut ChoosePointwiseCut(int rows, int channels, int multiprocessors);
// Sets args.scale_rows, which depends on the cut.
GpuLaunch MakePointwiseLaunch(const PointwiseCut& cut, PointwiseArgs args);

std::vector<GpuLaunch> MakeForwardPass(const GpuNetwork& network, const ChunkShape& shape, const ColumnPlan& plan,
                                       const PassInput& input, int multiprocessors);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CUDA_FORWARD_PASS_H_
