#include "server/pipeline/self_test.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/types/span.h"
#include "models/configs/config.h"
#include "models/log_mel/clip_windows.h"
#include "models/weights/self_test_vectors.h"
#include "server/batching/refusal.h"
#include "server/concurrency/mutex.h"
#include "server/concurrency/steady_time.h"
#include "server/pipeline/self_test_window.h"

namespace hearwire {
namespace {

// Networks that compute in 16 bits come this close to what float32 gives. bfloat16 has three bits less than float16.
constexpr double kHalfPrecisionTolerance = 2e-2;
constexpr double kBfloat16Tolerance = 5e-2;

double Tolerance(std::string_view precision) {
  if (precision == "float32") return double{kSelfTestTolerance};
  return precision == "bfloat16" ? kBfloat16Tolerance : kHalfPrecisionTolerance;
}

// A window on its way through the batcher. Held by its CallWork too, and holds its network, so that giving up waiting
// leaves nothing dangling.
class WindowProbe {
 public:
  WindowProbe(std::shared_ptr<const LoadedNetwork> network, ClipWindows windows, const Readout& readout, int row_size)
      : network_(std::move(network)), windows_(std::move(windows)), readout_(readout), row_(row_size) {}

  static absl::StatusOr<std::vector<float>> Run(const std::shared_ptr<const LoadedNetwork>& network,
                                                const Readout& readout, ClipWindows windows, SteadyTime deadline,
                                                Batcher* batcher);

 private:
  void Done(const absl::Status& status) {
    MutexLock lock(&mu_);
    status_ = status;
    done_ = true;
    changed_.SignalAll();
  }
  // False: not done by `deadline`.
  bool Wait(SteadyTime deadline) {
    MutexLock lock(&mu_);
    while (!done_ && SteadyTime::Now() < deadline) changed_.WaitUntil(&mu_, deadline);
    return done_;
  }

  const std::shared_ptr<const LoadedNetwork> network_;
  const ClipWindows windows_;
  const Readout readout_;
  std::vector<float> row_;  // Written by the worker; read when done.

  Mutex mu_;
  CondVar changed_;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

// A server that serves already may have a full queue: then a network is tested when there is room.
absl::Status SubmitPatiently(const std::shared_ptr<CallWork>& work, SteadyTime deadline, Batcher* batcher) {
  while (true) {
    absl::Status status = batcher->Submit(work);
    if (status.ok() || RefusalOf(status) != Refusal::kQueueFull) return status;
    const absl::Duration delay = batcher->RetryDelay();
    if (SteadyTime::Now() + delay >= deadline) return status;
    absl::SleepFor(delay);
  }
}

absl::StatusOr<std::vector<float>> WindowProbe::Run(const std::shared_ptr<const LoadedNetwork>& network,
                                                    const Readout& readout, ClipWindows windows, SteadyTime deadline,
                                                    Batcher* batcher) {
  const int row_size = ReadoutSize(network->shape, network->info->mel.n_mels, readout);
  auto probe = std::make_shared<WindowProbe>(network, std::move(windows), readout, row_size);
  auto work = std::make_shared<CallWork>();
  work->network = network->index;
  work->deadline = deadline;
  work->requests.push_back(
      {.window = probe->windows_.windows.front(), .readouts = {&probe->readout_, 1}, .row = probe->row_.data()});
  work->done = [probe](const absl::Status& status, const BatchTimes&) { probe->Done(status); };
  if (absl::Status status = SubmitPatiently(work, deadline, batcher); !status.ok()) return status;
  if (!probe->Wait(deadline)) return absl::DeadlineExceededError("nothing came back in time");
  MutexLock lock(&probe->mu_);
  if (!probe->status_.ok()) return probe->status_;
  return std::move(probe->row_);
}

absl::Status CheckFinite(absl::Span<const float> row, const std::string& what) {
  for (size_t i = 0; i < row.size(); ++i) {
    if (!std::isfinite(row[i])) return absl::InternalError(absl::StrCat(what, ": value ", i, " is not finite"));
  }
  return absl::OkStatus();
}

// The largest error, relative to the larger of 1 and the largest expected value. Nothing expected: 0 for a finite row.
absl::StatusOr<double> Compare(absl::Span<const float> row, absl::Span<const float> expected, double tolerance,
                               const std::string& what) {
  if (absl::Status status = CheckFinite(row, what); !status.ok()) return status;
  if (expected.empty()) return 0;
  if (row.size() != expected.size()) {
    return absl::InternalError(absl::StrCat(what, ": ", row.size(), " values instead of ", expected.size()));
  }
  double scale = 1;
  for (const float value : expected) scale = std::max(scale, std::abs(double{value}));
  double largest = 0;
  for (size_t i = 0; i < row.size(); ++i) {
    const double error = std::abs(double{row[i]} - double{expected[i]}) / scale;
    largest = std::max(largest, error);
    if (error > tolerance) {
      return absl::InternalError(absl::StrCat(what, ": value ", i, " is ", row[i], " and should be ", expected[i],
                                              ", which is ", error, " of the largest value away; at most ", tolerance,
                                              " is accepted"));
    }
  }
  return largest;
}

absl::Status WithContext(const absl::Status& status, const std::string& what) {
  return absl::Status(status.code(), absl::StrCat("self-test: ", what, ": ", status.message()));
}

}  // namespace

double SelfTestReport::LargestError() const {
  double largest = 0;
  for (const Check& check : checks) largest = std::max(largest, check.error);
  return largest;
}

absl::StatusOr<SelfTestReport> RunSelfTest(const NetworkCatalog& networks, std::string_view precision, Batcher* batcher,
                                           absl::Duration limit) {
  const SteadyTime deadline = SteadyTime::Now() + limit;
  SelfTestReport report{.checks = {}, .tolerance = Tolerance(precision)};
  const auto check = [&](const std::shared_ptr<const LoadedNetwork>& network, const std::string& what,
                         absl::StatusOr<ClipWindows> clip, const Readout& readout,
                         absl::Span<const float> expected) -> absl::Status {
    const std::string name = absl::StrCat(std::string(network->info->name), ", ", what);
    if (!clip.ok()) return WithContext(clip.status(), name);
    const auto row = WindowProbe::Run(network, readout, *std::move(clip), deadline, batcher);
    if (!row.ok()) return WithContext(row.status(), name);
    const absl::StatusOr<double> error = Compare(*row, expected, report.tolerance, "self-test: " + name);
    if (!error.ok()) return error.status();
    report.checks.push_back({name, *error});
    return absl::OkStatus();
  };

  for (const auto& network : networks.networks()) {
    if (network->batcher != batcher) continue;
    const MelSettings& mel = network->info->mel;
    if (absl::Status status =
            check(network, "one window", MakeSelfTestWindow(mel), SelfTestReadout(), network->reference_row);
        !status.ok()) {
      return status;
    }
    if (network->info->name != kEmbeddedNetworkName) continue;
    for (const SelfTestVector& vector : SelfTestVectors()) {
      const std::string sound(vector.sound);
      absl::Status status = check(network, sound + ", scene embedding", MakeSceneWindows(vector.clip, mel),
                                  FindConfig(kEmbeddedConfigName)->readout, vector.scene_embedding);
      status.Update(
          check(network, sound + ", logits", MakeSceneWindows(vector.clip, mel), LogitsReadout(), vector.logits));
      if (!status.ok()) return status;
    }
  }
  return report;
}

}  // namespace hearwire
