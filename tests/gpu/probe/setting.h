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
  // "native"; "kernels", the backend cuda; or as TorchBackendOptions::device: "cpu", "cuda", "cuda:N".
  std::string device = "cuda";
  std::string precision = "float32";      // Or "float16", on CUDA.
  int max_batch_frames = 4096;            // As TorchBackendOptions::max_batch_frames.
  std::optional<bool> pad_windows;        // As TorchBackendOptions::pad_windows.
  std::optional<double> warm_up_seconds;  // As TorchBackendOptions::warm_up_limit.
  // Of "cudnn", "timed", "convolutions" and "graphs": where CudaTuning is not the default.
  std::vector<std::string> tuning;
};

// "device=cuda precision=float32 max_batch_frames=4096", pad_windows and warm_up_limit_s where they are set, and
// "tuning=cudnn+graphs" where it is not the default: how a result line begins.
std::string ToText(const Setting& setting);

// What the torch backend warns of goes to standard output, as a line that begins with WARNING.
absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(const Setting& setting);

struct LoadedNetwork {
  std::shared_ptr<const NetworkWeights> weights;
  std::unique_ptr<Backend> backend;  // Has the one network, as network 0.
  double seconds = 0;                // That it took.
};

// A network of random weights: the same ones for a width, whatever the setting.
absl::StatusOr<LoadedNetwork> LoadRandomNetwork(const Setting& setting, double width);

// Prints the line "RESULT start …": how long loading took, and making the embedders of so many workers.
void PrintStart(const Setting& setting, double width, int workers, double load_seconds, double warm_up_seconds);

// The embedder of one worker, for this thread; prints how long the start took.
absl::StatusOr<std::unique_ptr<Embedder>> StartEmbedder(const Setting& setting, double width,
                                                        const LoadedNetwork& loaded);

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_GPU_PROBE_SETTING_H_
