// Which backend a command drives, and with what.

#ifndef HEARWIRE_TESTS_GPU_PROBE_SETTING_H_
#define HEARWIRE_TESTS_GPU_PROBE_SETTING_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/embedder.h"

namespace hearwire {

struct Setting {
  std::string device = "cuda";  // "native" (no LibTorch), or as TorchBackendOptions::device: "cpu", "cuda", "cuda:N".
  std::string precision = "float32";  // Or "float16", on CUDA.
  int max_batch_frames = 4096;        // As TorchBackendOptions::max_batch_frames.
  std::optional<bool> pad_windows;    // As TorchBackendOptions::pad_windows.
  std::vector<std::string> tuning;    // Of "convolutions", "nchw" and "graphs": where CudaTuning is not the default.
};

// "device=cuda precision=float32 max_batch_frames=4096", pad_windows where it is set, and "tuning=nchw+graphs" where it
// is not the default: how a result line begins.
std::string ToText(const Setting& setting);

// What the torch backend warns of goes to standard output, as a line that begins with WARNING.
absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(const Setting& setting);

struct LoadedNetwork {
  std::shared_ptr<const NetworkWeights> weights;
  std::unique_ptr<Backend> backend;  // Has the one network, as network 0.
};

// A network of random weights: the same ones for a width, whatever the setting.
absl::StatusOr<LoadedNetwork> LoadRandomNetwork(const Setting& setting, double width);

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_GPU_PROBE_SETTING_H_
