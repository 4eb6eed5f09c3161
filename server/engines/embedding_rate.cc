#include "server/engines/embedding_rate.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "models/log_mel/window.h"

namespace hearwire {

absl::StatusOr<double> MeasureEmbeddingRate(Embedder* embedder, const RateTrial& trial,
                                            const std::function<SteadyTime()>& now) {
  const int frames = 1 + (trial.window_samples - 1) / trial.mel.hop_samples;
  const int mels = trial.mel.n_mels;
  std::vector<float> spectrogram(size_t{1} * frames * mels);
  for (size_t i = 0; i < spectrogram.size(); ++i) spectrogram[i] = static_cast<float>(i % 13) / 8 - 0.75f;
  Readout readout;
  readout.features.Add(Feature::kLogits);
  std::vector<float> row(static_cast<size_t>(ReadoutSize(trial.shape, mels, readout)));
  Window window;
  window.runs[1] = {spectrogram.data(), frames};
  window.mels = mels;

  const size_t most = static_cast<size_t>(std::max<int64_t>(trial.max_batch_frames / frames, 1));
  const std::vector<WindowRequest> windows(most, {.window = window, .readout = readout, .row = row.data()});
  const double limit = absl::ToDoubleSeconds(trial.limit);
  double spent = 0;
  double best = 0;
  size_t count = 1;
  while (true) {
    const SteadyTime start = now();
    const absl::Status status = embedder->Embed(trial.network, absl::MakeConstSpan(windows).first(count));
    const double seconds = absl::ToDoubleSeconds(now() - start);
    if (absl::IsResourceExhausted(status) && best > 0) return best;
    if (!status.ok()) return status;
    spent += seconds;
    best = std::max(best, static_cast<double>(count) / std::max(seconds, 1e-9));
    const size_t next = std::min(2 * count, most);
    const double expected = seconds * static_cast<double>(next) / static_cast<double>(count);
    if (spent + expected > limit) return best;
    count = next;
  }
}

}  // namespace hearwire
