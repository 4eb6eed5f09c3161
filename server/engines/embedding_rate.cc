#include "server/engines/embedding_rate.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "models/log_mel/window.h"

namespace hearwire {
namespace {

// From one size of batch to the next: few sizes, for a device may take long to prepare for each.
constexpr size_t kGrowth = 8;

}  // namespace

absl::StatusOr<double> MeasureEmbeddingRate(Embedder* embedder, const RateTrial& trial,
                                            const std::function<SteadyTime()>& now) {
  const int frames = 1 + (trial.window_samples - 1) / trial.mel.hop_samples;
  const int mels = trial.mel.n_mels;
  const size_t most = static_cast<size_t>(std::max<int64_t>(trial.max_batch_frames / frames, 1));
  const size_t values = size_t{1} * frames * mels;  // Of a window.
  std::vector<float> spectrogram(most * values);
  for (size_t i = 0; i < spectrogram.size(); ++i) spectrogram[i] = static_cast<float>(i % 13) / 8 - 0.75f;
  Readout readout;
  readout.features.Add(Feature::kLogits);
  std::vector<float> row(static_cast<size_t>(ReadoutSize(trial.shape, mels, readout)));
  std::vector<WindowRequest> windows(most, {.window = {}, .readouts = {&readout, 1}, .row = row.data()});
  for (size_t i = 0; i < most; ++i) {
    windows[i].window.mels = mels;
    windows[i].window.runs[1] = {spectrogram.data() + i * values, frames};
  }

  const double limit = absl::ToDoubleSeconds(trial.limit);
  double spent = 0;
  absl::Duration preparing;  // For batches of more than one window: at the first of all, a device loads what all need.
  double best = 0;
  size_t count = 1;
  bool prepared = false;  // For so many.
  while (true) {
    double seconds = 0;
    const int runs = prepared ? 1 : 2;
    for (int run = 0; run < runs; ++run) {
      const SteadyTime start = now();
      const absl::Status status = embedder->Embed(trial.network, absl::MakeConstSpan(windows).first(count));
      const absl::Duration took = now() - start;
      if (run + 1 < runs && count > 1) preparing += took;
      seconds = absl::ToDoubleSeconds(took);
      if (absl::IsResourceExhausted(status) && best > 0) return best;
      if (!status.ok()) return status;
    }
    spent += runs * seconds;
    best = std::max(best, static_cast<double>(count) / std::max(seconds, 1e-9));
    const double window_seconds = seconds / static_cast<double>(count);
    const size_t larger = std::min(kGrowth * count, most);
    prepared = larger == count || preparing >= trial.preparation_limit ||
               spent + 2 * window_seconds * static_cast<double>(larger) > limit;
    if (prepared && spent + seconds > limit) return best;
    if (!prepared) count = larger;
  }
}

}  // namespace hearwire
