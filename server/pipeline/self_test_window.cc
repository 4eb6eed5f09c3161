#include "server/pipeline/self_test_window.h"

#include "absl/types/span.h"
#include "models/weights/built_in_sounds.h"

namespace hearwire {
namespace {

// As long as a timestamp's window: the plainest kernels take it in milliseconds.
constexpr size_t kSamples = 5120;

}  // namespace

absl::StatusOr<ClipWindows> MakeSelfTestWindow(const MelSettings& mel) {
  const std::vector<float> chirp = MakeChirp(1);
  return MakeSceneWindows(absl::MakeConstSpan(chirp).subspan((chirp.size() - kSamples) / 2, kSamples), mel);
}

Readout SelfTestReadout() {
  Readout readout;
  for (const int block : {5, 11, 13, 15}) readout.features.Add(Block(block));
  readout.features.Add(Feature::kLogits);
  return readout;
}

absl::StatusOr<std::vector<float>> ComputeReferenceRow(const std::shared_ptr<const NetworkWeights>& weights,
                                                       const MelSettings& mel, Backend* backend) {
  const absl::StatusOr<ClipWindows> clip = MakeSelfTestWindow(mel);
  if (!clip.ok()) return clip.status();
  const absl::StatusOr<int> index = backend->AddNetwork(weights, mel);
  if (!index.ok()) return index.status();
  const absl::StatusOr<std::unique_ptr<Embedder>> embedder = backend->NewEmbedder();
  if (!embedder.ok()) return embedder.status();
  const Readout readout = SelfTestReadout();
  std::vector<float> row(static_cast<size_t>(ReadoutSize(weights->shape, mel.n_mels, readout)));
  const WindowRequest request{.window = clip->windows.front(), .readouts = {&readout, 1}, .row = row.data()};
  if (absl::Status status = (*embedder)->Embed(*index, {&request, 1}); !status.ok()) return status;
  return row;
}

}  // namespace hearwire
