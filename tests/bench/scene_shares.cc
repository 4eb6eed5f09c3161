// What windows of a long scene compute again and again: windows of 10 s begin every 2.5 s, and up to the first
// squeeze-excite (blocks 0 to 3) a column of a map depends on its neighbourhood alone. Prints which share of a scene's
// time each of these is, and what sharing would save on 60 s.
//
//   scene_shares [width …]

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "models/native/aligned_floats.h"
#include "models/native/native_backend.h"
#include "models/native/packed_network.h"
#include "models/native/products.h"
#include "models/native/wide_pass.h"
#include "tests/fixtures/random_network.h"

namespace hearwire {
namespace {

constexpr int kMels = 128;
constexpr int kFrames = 1000;  // Of a window,
constexpr int kHop = 250;      // of which the next begins so much later.
constexpr int kWindows = 21;   // Of 60 s.
constexpr int kRounds = 41;

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Seconds of each, taken in turns: medians.
std::vector<double> Measure(const std::vector<std::function<void()>>& works) {
  std::vector<std::vector<double>> seconds(works.size());
  for (int round = 0; round <= kRounds; ++round) {
    for (size_t i = 0; i < works.size(); ++i) {
      const double start = ThreadSeconds();
      works[i]();
      if (round > 0) seconds[i].push_back(ThreadSeconds() - start);
    }
  }
  std::vector<double> medians;
  for (std::vector<double>& values : seconds) {
    std::sort(values.begin(), values.end());
    medians.push_back(values[values.size() / 2]);
  }
  return medians;
}

// Of the frames of so many windows, the share that is not computed again where windows share them whose beginnings are
// `phases` hops apart: with a map of half the frames a hop is 125 columns, with one of a quarter 62.5, so that only
// every other window has the same columns.
double Saved(int windows, int phases) {
  double computed = 0;
  for (int phase = 0; phase < std::min(phases, windows); ++phase) {
    computed += kFrames + (windows - 1 - phase) / phases * phases * kHop;
  }
  return 1 - computed / (windows * kFrames);
}

void Run(double width) {
  const auto weights = MakeRandomNetwork(width, HeadKind::kMlp, 1);
  const std::unique_ptr<Backend> backend = MakeNativeBackend().value();
  if (!backend->AddNetwork(weights, {.n_mels = kMels}).ok()) std::abort();
  const std::unique_ptr<Embedder> embedder = backend->NewEmbedder().value();
  const RandomWindow spectrogram = MakeRandomWindow(kFrames, kMels, 1);
  Window window;
  window.mels = kMels;
  window.runs[1] = {spectrogram.values.data(), kFrames};
  std::vector<float> row(size_t{1} << 16);
  const auto embed = [&](std::vector<int> blocks) {
    Readout readout;
    for (const int block : blocks) readout.features.Add(Block(block));
    const WindowRequest request{window, {&readout, 1}, row.data()};
    if (!embedder->Embed(0, {&request, 1}).ok()) std::abort();
  };

  const Kernels kernels = BestKernels();
  const PackedNetwork packed = PackNetwork(*weights, {.n_mels = kMels}, kernels);
  Products products(kernels);
  WidePass wide(kernels, products);
  AlignedFloats map;
  map.Reserve(size_t{kFrames} * kMels * kernels.Pad(static_cast<size_t>(weights->shape.stem_channels)));
  const auto run_wide = [&](WideMaps maps) { wide.Run(packed.wide, window, maps); };

  const std::vector<double> seconds = Measure({
      [&] { run_wide({}); },
      [&] { run_wide({.stem = map.data()}); },
      [&] { run_wide({.block1 = map.data()}); },
      [&] { run_wide({.block2 = map.data()}); },
      [&] { embed({2}); },
      [&] { embed({3}); },
      [&] {
        embed({5, 11, 13, 15});
      },
  });
  const double all = seconds[6];
  const double stem = seconds[0];
  const double putting = seconds[1] - seconds[0];  // Of a map that somebody asks for: not part of the rest.
  const double block1 = seconds[2] - putting - stem;
  const double block2 = seconds[3] - block1 - stem;
  const double block3 = seconds[5] - seconds[4];
  std::printf("mn%02.0f: a scene of 10 s %.2f ms, of which the stem %.2f, block 1 %.2f, block 2 %.2f, block 3 %.2f;",
              10 * width, 1e3 * all, stem / all, block1 / all, block2 / all, block3 / all);
  std::printf(" saved on 60 s");
  for (const int together : {kWindows, 8, 4, 2}) {
    const double saved = (stem + block1) * Saved(together, 1) + (block2 + block3) * Saved(together, 2);
    std::printf(" %.2f with %d windows in a batch%s", saved / all, together, together == 2 ? "\n" : ",");
  }
}

}  // namespace
}  // namespace hearwire

int main(int argc, char** argv) {
  std::vector<double> widths;
  for (int i = 1; i < argc; ++i) widths.push_back(std::atof(argv[i]));
  if (widths.empty()) widths = {0.1, 0.4, 1.0, 2.0};
  for (const double width : widths) hearwire::Run(width);
}
