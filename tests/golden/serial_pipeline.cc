#include "tests/golden/serial_pipeline.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "models/checkpoint/checkpoint.h"
#include "models/log_mel/clip_windows.h"
#include "models/weights/embedded_network.h"

namespace hearwire {

void SerialPipeline::AddWeights(const std::string& checkpoint, std::shared_ptr<const NetworkWeights> weights) {
  weights_[checkpoint] = std::move(weights);
}

absl::StatusOr<std::vector<float>> SerialPipeline::Scene(const std::string& checkpoint, const Config& config,
                                                         const Readout& readout, absl::Span<const float> clip) {
  const absl::StatusOr<ClipWindows> windows = MakeSceneWindows(clip, config.network->mel);
  if (!windows.ok()) return windows.status();
  const absl::StatusOr<std::vector<float>> rows = Rows(checkpoint, config, readout, windows->windows);
  if (!rows.ok()) return rows.status();
  const size_t count = windows->windows.size();
  std::vector<float> scene(rows->size() / count);
  for (size_t i = 0; i < scene.size(); ++i) {
    double sum = 0;
    for (size_t row = 0; row < count; ++row) sum += (*rows)[row * scene.size() + i];
    scene[i] = static_cast<float>(sum / static_cast<double>(count));
  }
  return scene;
}

absl::StatusOr<std::vector<float>> SerialPipeline::Timestamps(const std::string& checkpoint, const Config& config,
                                                              absl::Span<const float> clip) {
  const absl::StatusOr<ClipWindows> windows =
      MakeTimestampWindows(clip, config.timestamp_window_samples, config.network->mel);
  if (!windows.ok()) return windows.status();
  return Rows(checkpoint, config, config.readout, windows->windows);
}

absl::StatusOr<std::shared_ptr<const NetworkWeights>> SerialPipeline::Weights(const std::string& checkpoint) {
  if (const auto found = weights_.find(checkpoint); found != weights_.end()) return found->second;
  const absl::StatusOr<Checkpoint> read =
      checkpoint.empty() ? ParseCheckpoint(EmbeddedCheckpoint(), kEmbeddedNetworkName) : LoadCheckpoint(checkpoint);
  if (!read.ok()) return read.status();
  absl::StatusOr<NetworkWeights> weights = MakeNetworkWeights(*read, checkpoint);
  if (!weights.ok()) return weights.status();
  return weights_[checkpoint] = std::make_shared<const NetworkWeights>(*std::move(weights));
}

absl::StatusOr<SerialPipeline::Network*> SerialPipeline::Load(const std::string& checkpoint, const NetworkInfo& info) {
  const std::string key = absl::StrCat(checkpoint, " ", info.mel.n_mels, " ", info.mel.hop_samples);
  if (const auto found = networks_.find(key); found != networks_.end()) return &found->second;
  Network network;
  absl::StatusOr<std::shared_ptr<const NetworkWeights>> weights = Weights(checkpoint);
  if (!weights.ok()) return weights.status();
  network.weights = *weights;
  absl::StatusOr<std::unique_ptr<Backend>> backend = make_backend_();
  if (!backend.ok()) return backend.status();
  network.backend = *std::move(backend);
  if (const auto index = network.backend->AddNetwork(network.weights, info.mel); !index.ok()) return index.status();
  absl::StatusOr<std::unique_ptr<Embedder>> embedder = network.backend->NewEmbedder();
  if (!embedder.ok()) return embedder.status();
  network.embedder = *std::move(embedder);
  return &networks_.emplace(key, std::move(network)).first->second;
}

absl::StatusOr<std::vector<float>> SerialPipeline::Rows(const std::string& checkpoint, const Config& config,
                                                        const Readout& readout, absl::Span<const Window> windows) {
  const absl::StatusOr<Network*> network = Load(checkpoint, *config.network);
  if (!network.ok()) return network.status();
  const int size = ReadoutSize((*network)->weights->shape, config.network->mel.n_mels, readout);
  std::vector<float> rows(windows.size() * size);
  std::vector<WindowRequest> requests;
  for (size_t i = 0; i < windows.size(); ++i) requests.push_back({windows[i], {&readout, 1}, rows.data() + i * size});
  if (absl::Status status = (*network)->embedder->Embed(0, requests); !status.ok()) return status;
  return rows;
}

}  // namespace hearwire
