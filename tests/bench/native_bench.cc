// How fast the native backend runs, on one thread: windows of timestamps (201 of 16 frames) and a scene (1000 frames),
// against the machine's multiply-additions, in float32 and, where the processor has it, bfloat16, in turns. Prints
// medians of the thread's CPU time.
//
//   native_bench [width …]

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "models/native/native_backend.h"
#include "tests/bench/fma_peak.h"
#include "tests/fixtures/random_network.h"

namespace hearwire {
namespace {

constexpr int kMels = 128;
constexpr int kRepetitions = 15;

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// The network's multiply-additions from the spectrogram to block 15, without padding.
double MultiplyAdditions(const NetworkShape& shape, int frames) {
  auto pixels = [frames](int block) { return 1.0 * BlockOutputSize(block, kMels) * BlockOutputSize(block, frames); };
  double sum = 9 * shape.stem_channels * pixels(0);
  for (int i = 1; i < kBlockCount; ++i) {
    const BlockShape& block = shape.blocks[static_cast<size_t>(i) - 1];
    if (block.has_expansion()) sum += 1.0 * block.in_channels * block.expanded_channels * pixels(i - 1);
    sum += (block.kernel * block.kernel + block.out_channels) * block.expanded_channels * pixels(i);
    sum += 2.0 * block.expanded_channels * block.squeeze_channels;
  }
  return sum;
}

class Workload {
 public:
  Workload(std::string name, std::string precision, double width, int windows, int frames)
      : name_(std::move(name)), backend_(MakeNativeBackend({.precision = std::move(precision)}).value()) {
    const auto weights = MakeRandomNetwork(width, HeadKind::kMlp, 1);
    if (!backend_->AddNetwork(weights, {.n_mels = kMels}).ok()) std::abort();
    embedder_ = backend_->NewEmbedder().value();
    for (const int block : {5, 11, 13, 15}) readout_.features.Add(Block(block));
    const size_t size = static_cast<size_t>(ReadoutSize(weights->shape, kMels, readout_));
    spectrogram_ = MakeRandomWindow(windows * frames, kMels, 1);
    rows_.resize(static_cast<size_t>(windows) * size);
    for (int i = 0; i < windows; ++i) {
      Window window;
      window.mels = kMels;
      window.runs[1] = {spectrogram_.values.data() + size_t{1} * i * frames * kMels, frames};
      batch_.push_back({window, {&readout_, 1}, rows_.data() + static_cast<size_t>(i) * size});
    }
    multiply_additions_ = windows * MultiplyAdditions(weights->shape, frames);
  }

  void Measure() {
    const double start = ThreadSeconds();
    if (!embedder_->Embed(0, batch_).ok()) std::abort();
    seconds_.push_back(ThreadSeconds() - start);
  }

  void Print(double peak) {
    std::sort(seconds_.begin(), seconds_.end());
    const double median = seconds_[seconds_.size() / 2];
    std::printf("%-21s %8.2f ms (least %.2f, most %.2f)  %6.1f GFLOP/s  %.2f of peak\n", name_.c_str(), 1e3 * median,
                1e3 * seconds_.front(), 1e3 * seconds_.back(), 2e-9 * multiply_additions_ / median,
                multiply_additions_ / median / peak);
  }

 private:
  const std::string name_;
  const std::unique_ptr<Backend> backend_;
  std::unique_ptr<Embedder> embedder_;
  Readout readout_;
  RandomWindow spectrogram_;
  std::vector<float> rows_;
  std::vector<WindowRequest> batch_;
  double multiply_additions_ = 0;
  std::vector<double> seconds_;
};

void Run(const std::vector<double>& widths) {
  std::vector<std::unique_ptr<Workload>> workloads;
  for (const double width : widths) {
    for (const std::string precision : {"float32", "bfloat16"}) {
      if (precision == "bfloat16" && !NativeHasBfloat16()) continue;
      char name[32];
      std::snprintf(name, sizeof name, "mn%02.0f %s", 10 * width, precision.c_str());
      workloads.push_back(std::make_unique<Workload>(name + std::string(" windows"), precision, width, 201, 16));
      workloads.push_back(std::make_unique<Workload>(name + std::string(" scene"), precision, width, 1, 1000));
    }
  }
  std::vector<double> rates;
  for (int i = 0; i < kRepetitions; ++i) {
    const double start = ThreadSeconds();
    const int64_t count = RunMultiplyAdditions(1000000);
    rates.push_back(static_cast<double>(count) / (ThreadSeconds() - start));
    for (const auto& workload : workloads) workload->Measure();
  }
  std::sort(rates.begin(), rates.end());
  const double peak = rates[rates.size() / 2];
  std::printf("%s, %.1f GFLOP/s of multiply-additions on registers\n", NativeInstructionSet().c_str(), 2e-9 * peak);
  for (const auto& workload : workloads) workload->Print(peak);
}

}  // namespace
}  // namespace hearwire

int main(int argc, char** argv) {
  std::vector<double> widths;
  for (int i = 1; i < argc; ++i) widths.push_back(std::atof(argv[i]));
  if (widths.empty()) widths = {0.1, 0.4, 1.0};
  hearwire::Run(widths);
}
