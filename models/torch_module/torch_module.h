// Loads the LibTorch backend, a module that is not linked into any program: libhearwire_torch.so.
//
// LibTorch costs 0.3 s and 110 MB before it does anything, so only who asks for it pays. This loader has no LibTorch.
// What concerns CUDA has run on one GPU for some minutes (docs/performance.md). Its rows were not compared there yet.

#ifndef HEARWIRE_MODELS_TORCH_MODULE_TORCH_MODULE_H_
#define HEARWIRE_MODELS_TORCH_MODULE_TORCH_MODULE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "models/embedder.h"

namespace hearwire {

// What only a measurement on a device can decide, for who measures: the server has no flag for it. The defaults were
// chosen by reasoning.
struct CudaTuning {
  // 1 x 1 convolutions as matrix products, which add the bias and a ReLU by themselves and need no plan of cuDNN; else
  // as convolutions of cuDNN.
  bool pointwise_products = true;
  // The stem and the depthwise convolutions by cuDNN, on maps with their channels last; else by ATen's own kernel, on
  // maps with their channels first. cuDNN makes a plan for every convolution in every shape, which takes long.
  bool cudnn = false;
  // cuDNN times plans for a shape that it meets, and keeps the fastest; else its rules name one. That takes seconds for
  // each new shape of a network, and is for the whole process.
  bool time_plans = false;
  // Chunks that come again and again are recorded as CUDA graphs, which send all launches at once. Needs
  // libhearwire_torch_graphs.so beside the module.
  bool graphs = false;
};

struct TorchBackendOptions {
  std::string device = "cpu";         // "cpu", "cuda" (the first device) or "cuda:N".
  std::string precision = "float32";  // "float32"; on CUDA also "float16": convolutions and linear layers in half.
  // What the largest batch holds. On CUDA it bounds what runs at once, and with it memory and the batch sizes that are
  // prepared; larger batches run in parts.
  int max_batch_frames = 4096;
  // Rounds the lengths of windows up to few values, and runs windows of different lengths together. Rows stay what they
  // are. Unset: on CUDA, where each new length costs; not on the CPU, where padding does.
  std::optional<bool> pad_windows = std::nullopt;
  // On CUDA, how long all workers together may prepare for what is likely to come. Zero: they prepare for nothing.
  absl::Duration warm_up_limit = absl::Seconds(10);
  CudaTuning cuda_tuning = {};
  // Takes a message when the device had too little memory for a batch that then ran in smaller parts, or when not all
  // was prepared that could have been. Called by any worker, from within Embed or NewEmbedder. May be null.
  std::function<void(const std::string& message)> warn = nullptr;
};

// Loads the module from ../lib/hearwire beside the program's folder, which is where the build and the installation put
// it, and makes its backend. The module stays loaded for the life of the process; a second call makes a second backend.
// INVALID_ARGUMENT: an option, the message names it. NOT_FOUND: the module is not there. FAILED_PRECONDITION:
// LibTorch's libraries or its CUDA ones are missing, the module is of another build, or there is no CUDA driver or
// device. Every message says what would help. Thread-safe.
absl::StatusOr<std::unique_ptr<Backend>> LoadTorchBackend(const TorchBackendOptions& options);

// As LoadTorchBackend, with the module's path given.
absl::StatusOr<std::unique_ptr<Backend>> LoadTorchBackendFrom(const std::string& path,
                                                              const TorchBackendOptions& options);

// OK when a CUDA driver and at least one device are there; quick, loads no LibTorch. Else FAILED_PRECONDITION says
// which of the two is missing and what would help. Thread-safe.
absl::Status FindCudaDevice();

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_MODULE_TORCH_MODULE_H_
