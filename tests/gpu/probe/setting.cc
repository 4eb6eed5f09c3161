#include "tests/gpu/probe/setting.h"

#include <chrono>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/cuda/cuda_backend.h"
#include "models/native/native_backend.h"
#include "models/torch_module/torch_module.h"
#include "tests/fixtures/random_network.h"
#include "tests/gpu/probe/memory.h"

namespace hearwire {
namespace {

using Clock = std::chrono::steady_clock;

double Since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

std::string ToText(const Setting& setting) {
  return absl::StrCat("device=", setting.device, " precision=", setting.precision,
                      " max_batch_frames=", setting.max_batch_frames,
                      setting.pad_windows ? *setting.pad_windows ? " pad_windows=1" : " pad_windows=0" : "",
                      setting.warm_up_seconds ? absl::StrCat(" warm_up_limit_s=", *setting.warm_up_seconds) : "",
                      setting.tuning.empty() ? "" : " tuning=", absl::StrJoin(setting.tuning, "+"));
}

absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(const Setting& setting) {
  if (setting.device == "native") return MakeNativeBackend();
  const auto warn = [](const std::string& message) { std::printf("WARNING %s\n", message.c_str()); };
  if (setting.device == "kernels") {
    return MakeCudaBackend({.device = "cuda", .max_batch_frames = setting.max_batch_frames, .warn = warn});
  }
  TorchBackendOptions options;
  options.device = setting.device;
  options.precision = setting.precision;
  options.max_batch_frames = setting.max_batch_frames;
  options.pad_windows = setting.pad_windows;
  if (setting.warm_up_seconds) options.warm_up_limit = absl::Seconds(*setting.warm_up_seconds);
  for (const std::string& name : setting.tuning) {
    if (name == "convolutions") options.cuda_tuning.pointwise_products = false;
    if (name == "cudnn") options.cuda_tuning.cudnn = true;
    if (name == "timed") options.cuda_tuning.time_plans = true;
    if (name == "graphs") options.cuda_tuning.graphs = true;
  }
  options.warn = warn;
  return LoadTorchBackend(options);
}

absl::StatusOr<LoadedNetwork> LoadRandomNetwork(const Setting& setting, double width) {
  const auto start = Clock::now();
  LoadedNetwork loaded;
  loaded.weights = MakeRandomNetwork(width, HeadKind::kMlp, 1);
  absl::StatusOr<std::unique_ptr<Backend>> backend = MakeBackend(setting);
  if (!backend.ok()) return backend.status();
  loaded.backend = *std::move(backend);
  if (const absl::StatusOr<int> added = loaded.backend->AddNetwork(loaded.weights, {}); !added.ok()) {
    return added.status();
  }
  loaded.seconds = Since(start);
  return loaded;
}

void PrintStart(const Setting& setting, double width, int workers, double load_seconds, double warm_up_seconds) {
  std::printf("RESULT start %s width=%g workers=%d load_s=%.2f warm_up_s=%.2f resident_mib=%ld\n",
              ToText(setting).c_str(), width, workers, load_seconds, warm_up_seconds, ResidentMib());
}

absl::StatusOr<std::unique_ptr<Embedder>> StartEmbedder(const Setting& setting, double width,
                                                        const LoadedNetwork& loaded) {
  const auto start = Clock::now();
  absl::StatusOr<std::unique_ptr<Embedder>> embedder = loaded.backend->NewEmbedder();
  if (embedder.ok()) PrintStart(setting, width, 1, loaded.seconds, Since(start));
  return embedder;
}

}  // namespace hearwire
