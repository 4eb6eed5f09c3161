// Runs a network over windows of equal length.

#ifndef HEARWIRE_MODELS_NATIVE_FORWARD_PASS_H_
#define HEARWIRE_MODELS_NATIVE_FORWARD_PASS_H_

#include "absl/types/span.h"
#include "models/embedder.h"
#include "models/native/aligned_floats.h"
#include "models/native/block_pass.h"
#include "models/native/kernels.h"
#include "models/native/packed_network.h"
#include "models/native/products.h"
#include "models/native/row_writer.h"
#include "models/native/wide_pass.h"

namespace hearwire {

// How far a window goes: 0 the spectrogram only, 1 + i to block i, then the last convolution, then the head.
inline constexpr int kLastConvolutionDepth = kBlockCount + 1;
inline constexpr int kHeadDepth = kBlockCount + 2;

// A window of a batch and what is known of it.
struct PassWindow {
  explicit PassWindow(const WindowRequest& window);

  const WindowRequest* request;
  FeatureSet features;  // Of all its readouts.
  int frames;
  int depth;  // How far its deepest readout goes.
};

// A worker's memory, shared by all its networks. One thread at a time.
struct ForwardWorkspace {
  explicit ForwardWorkspace(const Kernels& kernels)
      : products(kernels), wide(kernels, products), blocks(kernels, products) {}

  Products products;
  WidePass wide;
  BlockPass blocks;
  AlignedFloats wide_maps[2];  // The stem's and block 1's, where they are asked for.
  AlignedFloats early[2];      // Maps between blocks.
  AlignedFloats late[3];       // Block 6's output, and two that take turns.
  AlignedFloats last;          // [windows, pixels, last channels]
  AlignedFloats pooled;        // [windows, last channels]
  AlignedFloats hidden;
  AlignedFloats logits;
};

// Runs one network in a worker's memory. One thread at a time.
//
// Two sizes of tiles keep activations in the second-level cache and read weights rarely: the first blocks, with large
// maps and small weights, take a few windows at a time; the later ones, with small maps and large weights, take many.
class ForwardPass {
 public:
  // network, workspace: outlive this.
  ForwardPass(const Kernels& kernels, const PackedNetwork& network, ForwardWorkspace& workspace)
      : kernels_(kernels),
        network_(network),
        workspace_(workspace),
        writer_(kernels, network.shape, network.mel.n_mels) {}

  // windows: all of the same number of frames, the deepest first. Writes their rows.
  void Run(absl::Span<const PassWindow> windows);

 private:
  using Windows = absl::Span<const PassWindow>;

  // Blocks 0 to 6, from the spectrogram. out: where block 6's output of the windows goes that need more.
  void RunEarlyBlocks(Windows windows, float* out);
  // From block 7 on. in: block 6's output.
  void RunLateBlocks(Windows windows, MapSize size, float* in);
  // Blocks 0 to 2 of one window. out: block 2's output.
  void RunWideBlocks(const PassWindow& window, float* out);
  // Block `index` on the windows that need it, from `in` to `out`, and what is read out of it. Returns how many these
  // are.
  int RunBlock(Windows windows, int index, MapSize size, const float* in, float* out);
  void WriteBlockOutputs(Windows windows, int index, MapSize size, size_t stride, const float* map);
  void RunHead(Windows windows, MapSize size, const float* in);

  const Kernels kernels_;
  const PackedNetwork& network_;
  ForwardWorkspace& workspace_;
  RowWriter writer_;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_NATIVE_FORWARD_PASS_H_
