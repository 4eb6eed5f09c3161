// The seam between serving and computing: a backend runs windows of loaded networks. No LibTorch here.
//
// Behind it stand models/native (CPU), models/cuda (GPUs) and models/torch (LibTorch, on both).

#ifndef HEARWIRE_MODELS_EMBEDDER_H_
#define HEARWIRE_MODELS_EMBEDDER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/checkpoint/network_weights.h"
#include "models/configs/feature.h"
#include "models/log_mel/window.h"

namespace hearwire {

// One window to run and where its row goes. What it points to stays the caller's and outlives the call.
struct WindowRequest {
  Window window;
  // One at least. All are read out of one forward pass, which goes as deep as the deepest of them.
  absl::Span<const Readout> readouts;
  // [RowSize(network shape, mels, readouts)]: the readouts' rows, one after the other, each with the values that it has
  // alone. Written when Embed succeeds.
  float* row;
};

// Runs batches: a worker's own, with its workspace. One thread at a time.
class Embedder {
 public:
  virtual ~Embedder() = default;

  // Runs windows of one network, of any lengths and readouts. `network` is an index that Backend::AddNetwork returned.
  // A row does not depend on the other windows of the batch. Computes only what the readouts ask for.
  // UNAVAILABLE: the device is lost, and every later call will fail too. RESOURCE_EXHAUSTED: the device has too little
  // memory for this batch; a smaller one may succeed. INTERNAL: anything else; another batch may succeed.
  // Values that are not finite are no failure here: whoever reads the rows checks them.
  virtual absl::Status Embed(int network, absl::Span<const WindowRequest> batch) = 0;
};

// Owns the weights of its networks, read-only and shared by the embedders it makes.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string name() const = 0;       // "native", "cuda" or "torch".
  virtual std::string device() const = 0;     // "cpu", "cuda:0".
  virtual std::string precision() const = 0;  // "float32", "float16" or "bfloat16".

  // Takes a network over and returns its index, the least that no network has. Thread-safe where networks may come
  // later, and then at any time; else all are added before the first embedder is made, by one thread.
  virtual absl::StatusOr<int> AddNetwork(std::shared_ptr<const NetworkWeights> weights, MelSettings mel) = 0;

  // Whether networks may come and go while there are embedders, which then run all that there are.
  virtual bool networks_may_come_later() const { return false; }

  // Gives back what a network takes, which nobody runs or will: its index may be a later one's. Thread-safe. Does
  // nothing where networks may not come later.
  virtual void RemoveNetwork(int /*network*/) {}

  // A new worker's embedder. Call it in the worker's own thread. The backend must outlive it.
  virtual absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() = 0;

  // The networks that embedders made from now on will run: where preparing an embedder takes long, it is prepared for
  // these alone. All, until this is called. Others run too, more slowly at first. Not while an embedder is being made.
  virtual void PrepareFor(absl::Span<const int> /*networks*/) {}
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_EMBEDDER_H_
