// Runs the blocks whose maps are wide and have few channels, in planes: the stem, block 1 and block 2.

#ifndef HEARWIRE_MODELS_NATIVE_WIDE_PASS_H_
#define HEARWIRE_MODELS_NATIVE_WIDE_PASS_H_

#include "models/embedder.h"
#include "models/native/aligned_floats.h"
#include "models/native/kernels.h"
#include "models/native/map_size.h"
#include "models/native/packed_network.h"
#include "models/native/products.h"
#include "models/native/rolling_rows.h"

namespace hearwire {

// Block 2 is the last that the pass runs.
inline constexpr int kLastWideBlock = 2;

// Where a window's maps go, channels last, [rows, cols, channels padded to the vector width]. Null: nobody asks, and
// what only they would need is not computed.
struct WideMaps {
  float* stem = nullptr;
  float* block1 = nullptr;
  float* block2 = nullptr;
};

// A worker's memory for it. All layers run over a few rows before the next few, so that no map exists as a whole but
// those that are asked for. One thread at a time.
class WidePass {
 public:
  // products: outlive this.
  WidePass(const Kernels& kernels, Products& products) : kernels_(kernels), products_(products) {}

  void Run(const PackedWideBlocks& blocks, const Window& window, const WideMaps& maps);

 private:
  // The stem's rows [first, end).
  void RunStem(const StemWeights& stem, const Window& window, int first, int end, size_t half, float* out);
  // Block 1's output goes on to row `end`, and what it needs with it. Rows from first_kept on stay.
  void RunBlock1(const PackedWideBlocks& blocks, const Window& window, size_t half, int first_kept, int end,
                 const WideMaps& maps);

  const Kernels kernels_;
  Products& products_;
  AlignedFloats spectrogram_;  // Quartered rows.
  RollingRows stem_;
  AlignedFloats depthwise1_;
  RollingRows block1_;
  AlignedFloats expanded_;    // Rows of one piece of block 2's channels,
  AlignedFloats depthwise2_;  // and of all.
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_NATIVE_WIDE_PASS_H_
