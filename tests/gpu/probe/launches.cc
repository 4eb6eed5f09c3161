#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "models/cuda/cuda_gpu.h"
#include "models/cuda/forward_pass.h"
#include "models/cuda/kernel_args.h"
#include "tests/fixtures/random_network.h"
#include "tests/gpu/probe/commands.h"

namespace hearwire {
namespace {

constexpr int kRepeats = 20;
constexpr int kTrials = 3;

// What a launch must do at least: bytes that it reads and writes once, and multiply-additions.
struct Least {
  double bytes = 0;
  double multiply_adds = 0;
  std::string what;
};

Least LeastOf(const GpuLaunch& launch) {
  const std::string name = ToText(launch.kernel);
  if (absl::StrContains(name, "pointwise")) {
    const auto a = ArgsOf<PointwiseArgs>(launch);
    const double out = 1.0 * a.rows * a.channels;
    return {4 * (1.0 * a.rows * a.terms + 1.0 * a.terms * a.channels + (a.residual != nullptr ? 2 : 1) * out),
            out * a.terms, absl::StrCat(a.rows, "x", a.terms, "x", a.channels, a.scale != nullptr ? " scaled" : "")};
  }
  if (absl::StrContains(name, "depthwise")) {
    const auto a = ArgsOf<DepthwiseArgs>(launch);
    const double in = 1.0 * a.windows * a.time * a.mels * a.channels;
    const double out = 1.0 * a.windows * a.time_out * a.mels_out * a.channels;
    const int kernel = absl::StrContains(name, "_5_") ? 5 : 3;
    return {4 * (in + out), out * kernel * kernel, absl::StrCat(a.windows, "x", a.time, "x", a.mels, "x", a.channels)};
  }
  if (name == "hearwire_pool") {
    const auto a = ArgsOf<PoolArgs>(launch);
    const double in = 1.0 * a.windows * a.time * a.mels * a.channels;
    return {4 * in, 0, absl::StrCat(a.windows, "x", a.time, "x", a.mels, "x", a.channels)};
  }
  return {};
}

// Median seconds of a launch among others of its kind.
absl::StatusOr<double> TimeOf(GpuStream& stream, const std::vector<GpuLaunch>& launches, int repeats) {
  std::vector<GpuLaunch> many;
  for (int i = 0; i < repeats; ++i) many.insert(many.end(), launches.begin(), launches.end());
  const absl::StatusOr<std::unique_ptr<GpuGraph>> graph = stream.Record(many);
  if (!graph.ok()) return graph.status();
  absl::Status status = stream.Launch(**graph);
  status.Update(stream.Wait());
  std::vector<double> times;
  for (int i = 0; i < kTrials && status.ok(); ++i) {
    const auto start = std::chrono::steady_clock::now();
    status.Update(stream.Launch(**graph));
    status.Update(stream.Wait());
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / repeats);
  }
  if (!status.ok()) return status;
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

// The same product in every cut. Prints the fastest.
absl::Status TryCuts(GpuStream& stream, const GpuLaunch& launch, double usual) {
  const auto args = ArgsOf<PointwiseArgs>(launch);
  double best = 1e9;
  PointwiseCut best_cut = {};
  std::string all;
  for (int columns = 1; columns <= kMaxPointwiseColumns; ++columns) {
    for (const auto& [tiles, warps] : {std::pair(2, 4), std::pair(1, 4), std::pair(1, 2)}) {
      const PointwiseCut cut = {columns, tiles, warps};
      const GpuLaunch other = MakePointwiseLaunch(cut, args);
      const absl::StatusOr<double> seconds = TimeOf(stream, {other}, 10);
      if (!seconds.ok()) return seconds.status();
      absl::StrAppend(&all, " ", columns, ".", tiles, ".", warps, "=", static_cast<int>(1e7 * *seconds) / 10.0);
      if (*seconds < best) {
        best = *seconds;
        best_cut = cut;
      }
    }
  }
  std::printf("RESULT cuts product=%dx%dx%d usual_us=%.1f best_us=%.1f best=%d.%d.%d\n  cuts:%s\n", args.rows,
              args.terms, args.channels, 1e6 * usual, 1e6 * best, best_cut.columns, best_cut.tiles, best_cut.warps,
              all.c_str());
  return absl::OkStatus();
}

}  // namespace

absl::Status MeasureLaunches(double width, int frames, int windows, bool cuts) {
  const absl::StatusOr<std::unique_ptr<Gpu>> gpu = OpenCudaGpu(0);
  if (!gpu.ok()) return gpu.status();
  const std::shared_ptr<const NetworkWeights> weights = MakeRandomNetwork(width, HeadKind::kMlp, 1);
  const ChunkShape shape = {windows, frames, 128};
  const absl::StatusOr<std::unique_ptr<GpuNetwork>> network = MakeGpuNetwork(**gpu, *weights, shape.mels);
  if (!network.ok()) return network.status();
  const ColumnPlan plan(weights->shape, shape.mels, {BodyReadout()});

  // Every frame its own row, of noise.
  const size_t count = static_cast<size_t>(windows) * frames;
  const size_t row_bytes = count * shape.mels * 4, index_bytes = count * 4,
               length_bytes = 4 * static_cast<size_t>(windows);
  HostMemory host(**gpu);
  GpuMemory input(**gpu), columns(**gpu), scratch(**gpu);
  absl::Status status = host.Reserve(row_bytes + index_bytes + length_bytes);
  status.Update(input.Reserve(row_bytes + index_bytes + length_bytes));
  status.Update(columns.Reserve(4 * static_cast<size_t>(windows) * plan.width()));
  status.Update(scratch.Reserve(4 * PassFloats(weights->shape, shape)));
  const absl::StatusOr<std::unique_ptr<GpuStream>> stream = (*gpu)->NewStream();
  status.Update(stream.status());
  if (!status.ok()) return status;
  std::mt19937 random(1);
  std::normal_distribution<float> noise;
  std::generate_n(host.as<float>(), count * shape.mels, [&] { return noise(random); });
  int* const index = host.as<int>() + row_bytes / 4;
  for (size_t i = 0; i < count; ++i) index[i] = static_cast<int>(i);
  std::fill_n(index + count, windows, frames);
  status.Update((*stream)->CopyIn(input.address(), host.as<char>(), row_bytes + index_bytes + length_bytes));
  status.Update((*stream)->Wait());
  if (!status.ok()) return status;
  const GpuAddress base = input.address();
  const std::vector<GpuLaunch> launches =
      MakeForwardPass(**network, shape, plan,
                      {.rows = reinterpret_cast<const float*>(base),
                       .index = reinterpret_cast<const int*>(base + row_bytes),
                       .lengths = reinterpret_cast<const int*>(base + row_bytes + index_bytes),
                       .columns = reinterpret_cast<float*>(columns.address()),
                       .scratch = reinterpret_cast<float*>(scratch.address())},
                      (*gpu)->multiprocessors());
  const absl::StatusOr<double> pass = TimeOf(**stream, launches, 3);
  if (!pass.ok()) return pass.status();
  double sum = 0;
  std::map<std::string, double> by_kind;
  for (const GpuLaunch& launch : launches) {
    const absl::StatusOr<double> seconds = TimeOf(**stream, {launch}, kRepeats);
    if (!seconds.ok()) return seconds.status();
    const Least least = LeastOf(launch);
    const std::string name = ToText(launch.kernel);
    std::printf("  %-28s %-28s %7.1f us  %6.2f TB/s  %6.1f TFLOP/s\n", name.c_str(), least.what.c_str(), 1e6 * *seconds,
                least.bytes / *seconds / 1e12, 2 * least.multiply_adds / *seconds / 1e12);
    sum += *seconds;
    by_kind[name.substr(0, name.find('_', 9))] += *seconds;
    if (cuts && absl::StrContains(name, "pointwise")) {
      if (absl::Status tried = TryCuts(**stream, launch, *seconds); !tried.ok()) return tried;
    }
  }
  for (const auto& [kind, seconds] : by_kind) {
    std::printf("RESULT launches width=%g frames=%d windows=%d kind=%s us=%.1f\n", width, frames, windows, kind.c_str(),
                1e6 * seconds);
  }
  std::printf(
      "RESULT launches width=%g frames=%d windows=%d launches=%zu pass_us=%.1f sum_us=%.1f windows_per_s=%.0f\n", width,
      frames, windows, launches.size(), 1e6 * *pass, 1e6 * sum, windows / *pass);
  return absl::OkStatus();
}

}  // namespace hearwire
