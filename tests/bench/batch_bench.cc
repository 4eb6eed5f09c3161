// What batches gain inside the engine: windows of timestamps (16 frames, every feature of mn10_all_b_mel_avgs) on one
// thread, in batches of different sizes, in turns. Prints each size's CPU time per window and its gain over the first
// size.
//
//   batch_bench [windows …]

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "models/configs/config.h"
#include "models/native/native_backend.h"
#include "tests/fixtures/random_network.h"

namespace hearwire {
namespace {

constexpr int kFrames = 16;
constexpr int kRepetitions = 15;

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void Run(const std::vector<int>& sizes) {
  const Config* config = FindConfig("mn10_all_b_mel_avgs");
  const std::unique_ptr<Backend> backend = MakeNativeBackend().value();
  const auto weights = MakeRandomNetwork(1.0, HeadKind::kMlp, 1);
  if (config == nullptr || !backend->AddNetwork(weights, config->network->mel).ok()) std::abort();
  const std::unique_ptr<Embedder> embedder = backend->NewEmbedder().value();
  const int mels = config->network->mel.n_mels;
  const int most = *std::max_element(sizes.begin(), sizes.end());
  const auto row = static_cast<size_t>(ReadoutSize(weights->shape, mels, config->readout));
  RandomWindow spectrogram = MakeRandomWindow(most * kFrames, mels, 1);
  std::vector<float> rows(static_cast<size_t>(most) * row);
  std::vector<WindowRequest> windows;
  for (int i = 0; i < most; ++i) {
    Window window;
    window.mels = mels;
    window.runs[1] = {spectrogram.values.data() + static_cast<size_t>(i) * kFrames * static_cast<size_t>(mels),
                      kFrames};
    windows.push_back({window, {&config->readout, 1}, rows.data() + static_cast<size_t>(i) * row});
  }
  std::vector<std::vector<double>> seconds(sizes.size());
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    for (size_t s = 0; s < sizes.size(); ++s) {
      const double start = ThreadSeconds();
      for (int first = 0; first < most; first += sizes[s]) {
        const int count = std::min(sizes[s], most - first);
        if (!embedder->Embed(0, absl::MakeConstSpan(windows.data() + first, static_cast<size_t>(count))).ok())
          std::abort();
      }
      seconds[s].push_back((ThreadSeconds() - start) / most);
    }
  }
  double base = 0;
  for (size_t s = 0; s < sizes.size(); ++s) {
    std::sort(seconds[s].begin(), seconds[s].end());
    const double median = seconds[s][seconds[s].size() / 2];
    if (s == 0) base = median;
    std::printf("batches of %3d: %.3f ms a window (least %.3f, most %.3f), gain %.3f\n", sizes[s], 1e3 * median,
                1e3 * seconds[s].front(), 1e3 * seconds[s].back(), base / median);
  }
}

}  // namespace
}  // namespace hearwire

int main(int argc, char** argv) {
  std::vector<int> sizes;
  for (int i = 1; i < argc; ++i) sizes.push_back(std::max(1, std::atoi(argv[i])));
  if (sizes.empty()) sizes = {1, 4, 16, 64};
  hearwire::Run(sizes);
}
