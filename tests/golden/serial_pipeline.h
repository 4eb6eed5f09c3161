// From a clip to embeddings without a server: windows, one batch, mean of a long scene.

#ifndef HEARWIRE_TESTS_GOLDEN_SERIAL_PIPELINE_H_
#define HEARWIRE_TESTS_GOLDEN_SERIAL_PIPELINE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/checkpoint/network_weights.h"
#include "models/configs/config.h"
#include "models/embedder.h"

namespace hearwire {

// Each network is loaded into a backend of its own when it is first used, and kept. One thread at a time.
class SerialPipeline {
 public:
  using MakeBackend = std::function<absl::StatusOr<std::unique_ptr<Backend>>()>;
  explicit SerialPipeline(MakeBackend make_backend) : make_backend_(std::move(make_backend)) {}

  // checkpoint: its path, empty for the embedded network. Weights that were given to AddWeights are found under the
  // name that they were given.
  void AddWeights(const std::string& checkpoint, std::shared_ptr<const NetworkWeights> weights);

  // One row: `readout` of the whole clip, the config's own or another.
  absl::StatusOr<std::vector<float>> Scene(const std::string& checkpoint, const Config& config, const Readout& readout,
                                           absl::Span<const float> clip);
  // All rows, one after the other.
  absl::StatusOr<std::vector<float>> Timestamps(const std::string& checkpoint, const Config& config,
                                                absl::Span<const float> clip);

 private:
  struct Network {
    std::shared_ptr<const NetworkWeights> weights;
    std::unique_ptr<Backend> backend;
    std::unique_ptr<Embedder> embedder;
  };

  absl::StatusOr<std::shared_ptr<const NetworkWeights>> Weights(const std::string& checkpoint);
  absl::StatusOr<Network*> Load(const std::string& checkpoint, const NetworkInfo& info);
  absl::StatusOr<std::vector<float>> Rows(const std::string& checkpoint, const Config& config, const Readout& readout,
                                          absl::Span<const Window> windows);

  const MakeBackend make_backend_;
  std::map<std::string, std::shared_ptr<const NetworkWeights>> weights_;  // By checkpoint.
  std::map<std::string, Network> networks_;                               // By checkpoint and mel settings.
};

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_GOLDEN_SERIAL_PIPELINE_H_
