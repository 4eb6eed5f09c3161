#include "tests/gpu/probe/setting.h"

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/native/native_backend.h"
#include "models/torch_module/torch_module.h"
#include "tests/fixtures/random_network.h"

namespace hearwire {

std::string ToText(const Setting& setting) {
  return absl::StrCat("device=", setting.device, " precision=", setting.precision,
                      " max_batch_frames=", setting.max_batch_frames,
                      setting.pad_windows ? *setting.pad_windows ? " pad_windows=1" : " pad_windows=0" : "",
                      setting.tuning.empty() ? "" : " tuning=", absl::StrJoin(setting.tuning, "+"));
}

absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(const Setting& setting) {
  if (setting.device == "native") return MakeNativeBackend();
  TorchBackendOptions options;
  options.device = setting.device;
  options.precision = setting.precision;
  options.max_batch_frames = setting.max_batch_frames;
  options.pad_windows = setting.pad_windows;
  for (const std::string& name : setting.tuning) {
    if (name == "convolutions") options.cuda_tuning.pointwise_products = false;
    if (name == "nchw") options.cuda_tuning.nchw_depthwise = true;
    if (name == "graphs") options.cuda_tuning.graphs = true;
  }
  options.warn = [](const std::string& message) { std::printf("WARNING %s\n", message.c_str()); };
  return LoadTorchBackend(options);
}

absl::StatusOr<LoadedNetwork> LoadRandomNetwork(const Setting& setting, double width) {
  LoadedNetwork loaded;
  loaded.weights = MakeRandomNetwork(width, HeadKind::kMlp, 1);
  absl::StatusOr<std::unique_ptr<Backend>> backend = MakeBackend(setting);
  if (!backend.ok()) return backend.status();
  loaded.backend = *std::move(backend);
  if (const absl::StatusOr<int> added = loaded.backend->AddNetwork(loaded.weights, {}); !added.ok()) {
    return added.status();
  }
  return loaded;
}

}  // namespace hearwire
