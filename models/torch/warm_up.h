// What a worker runs before it serves.
//
// cuDNN makes a plan for every convolution in every shape, and times several ones when it may. That takes long, and
// LibTorch keeps a limited number of plans for each thread. So the likeliest chunks are run beforehand, no more of them
// than the plans of all of them stay. A chunk that comes up later gets the plan that cuDNN's rules name.

#ifndef HEARWIRE_MODELS_TORCH_WARM_UP_H_
#define HEARWIRE_MODELS_TORCH_WARM_UP_H_

#include <array>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "models/configs/network_shape.h"
#include "models/torch/chunk_shapes.h"
#include "models/torch/slot.h"

namespace hearwire {

// Plans that LibTorch keeps for a thread. Its own limit is 10,000. Timestamps and scenes of any lengths on one network
// of width 1 need some 840.
inline constexpr int kMaxCudnnPlans = 3000;

// So many of them are made beforehand. The rest is for chunks of other shapes, so that these do not drive out the
// likeliest.
inline constexpr int kMaxWarmPlans = 1500;

// What tells one plan from another: windows, input channels, time and mels of the input map, output channels, kernel,
// stride, groups. The weights are no part of it: networks and blocks of one shape share plans.
using PlanKey = std::array<int, 8>;

// Of all convolutions of a network that cuDNN runs, in a chunk of that shape: the stem and the depthwise ones. Those of
// 1 x 1 are matrix products (models/torch/aten_convolution.h).
std::set<PlanKey> ConvolutionPlans(const NetworkShape& network, const ChunkShape& shape);

struct WarmUpChunk {
  int network;
  ChunkShape shape;

  friend bool operator==(const WarmUpChunk&, const WarmUpChunk&) = default;
};

// The likeliest chunks, in turns: of each network the likeliest first, then of each the next. Their plans are at most
// max_plans.
std::vector<WarmUpChunk> ChooseWarmUp(absl::Span<const ChunkNetwork> networks, const ChunkPolicy& policy,
                                      int max_plans);

// Runs a chunk of zeros all the way through the network, on a free slot.
absl::Status RunZeros(Slot& slot, const ChunkNetwork& network, const WarmUpChunk& chunk);

// Runs the chunks with `run`. A chunk for which the device has too little memory is left out, as are those that are as
// large or larger; then `warn`, which may be null, is called once. RESOURCE_EXHAUSTED: not a single chunk ran. Other
// failures of `run` end it.
absl::Status WarmUp(absl::Span<const WarmUpChunk> chunks,
                    const std::function<absl::Status(const WarmUpChunk& chunk)>& run,
                    const std::function<void(const std::string& message)>& warn);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_WARM_UP_H_
