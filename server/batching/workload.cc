#include "server/batching/workload.h"

#include <algorithm>
#include <cmath>

namespace hearwire {
namespace {

// Of the old average, what each new batch leaves.
constexpr double kMemory = 0.8;
// Likewise of the sums behind what a batch costs beside its frames: that hardly changes, and takes many batches to see.
constexpr double kLongMemory = 0.98;
// The share of the batches' time that this cost may be: beyond, it is noise.
constexpr double kMostOfTime = 0.9;

constexpr absl::Duration kTrustHalves = absl::Seconds(2);

}  // namespace

void Workload::Pace::Observe(double new_frames, double new_seconds, SteadyTime now) {
  frames = kMemory * frames + new_frames;
  seconds = kMemory * seconds + new_seconds;
  batches = kMemory * batches + 1;
  const auto add = [](double* sum, double value) { *sum = kLongMemory * *sum + value; };
  add(&sums.n, 1);
  add(&sums.x, new_frames);
  add(&sums.y, new_seconds);
  add(&sums.xx, new_frames * new_frames);
  add(&sums.xy, new_frames * new_seconds);
  measured = now;
}

// Least squares: seconds = a * frames + b. Batches of one size say nothing about b.
double Workload::Pace::SecondsPerBatch() const {
  const double spread = sums.n * sums.xx - sums.x * sums.x;
  if (spread < 0.01 * sums.x * sums.x) return 0;
  const double per_frame = (sums.n * sums.xy - sums.x * sums.y) / spread;
  return std::clamp((sums.y - per_frame * sums.x) / sums.n, 0.0, kMostOfTime * sums.y / sums.n);
}

Workload::Workload(int workers) : workers_(workers) {}

int Workload::Begin(int network, int64_t frames, SteadyTime now) {
  size_t number = 0;
  while (number < running_.size() && running_[number].network >= 0) ++number;
  if (number == running_.size()) running_.emplace_back();
  Running& running = running_[number];
  if (!running.busy_until_the_next) running.busy_since = now;
  running.network = network;
  running.frames = frames;
  running.start = now;
  return static_cast<int>(number);
}

void Workload::End(int number, SteadyTime now, bool learn, bool more_waits) {
  Running& running = running_[static_cast<size_t>(number)];
  const double seconds = absl::ToDoubleSeconds(now - running.busy_since);
  running.busy_until_the_next = more_waits;
  running.busy_since = now;
  ended_ += now - running.start;
  if (learn && seconds > 0) {
    const size_t network = static_cast<size_t>(running.network);
    if (network >= paces_.size()) paces_.resize(network + 1);
    paces_[network].Observe(static_cast<double>(running.frames), seconds, now);
    overall_.Observe(static_cast<double>(running.frames), seconds, now);
  }
  running.network = -1;
}

void Workload::Forget(int network) {
  const size_t index = static_cast<size_t>(network);
  if (index < paces_.size()) paces_[index] = {};
}

void Workload::Rest() {
  for (Running& running : running_) running.busy_until_the_next = false;
}

const Workload::Pace* Workload::PaceOf(int network) const {
  const size_t index = static_cast<size_t>(network);
  return index < paces_.size() && paces_[index].frames > 0 ? &paces_[index] : nullptr;
}

double Workload::SecondsPerFrame(int network) const {
  const Pace* const own = PaceOf(network);
  const Pace& pace = own != nullptr ? *own : overall_;
  return pace.frames > 0 ? pace.seconds / pace.frames : 0;
}

double Workload::RemainingSeconds(const Running& running, SteadyTime now) const {
  const double whole = static_cast<double>(running.frames) * SecondsPerFrame(running.network);
  return std::clamp(whole - absl::ToDoubleSeconds(now - running.start), 0.0, whole);
}

int64_t Workload::Share(int network, int64_t waiting, SteadyTime now) const {
  // In frames of `network`. While no pace is known, no batch has ended, so all are taken to have just begun.
  const double seconds_per_frame = SecondsPerFrame(network);
  levels_.clear();
  for (const Running& running : running_) {
    if (running.network < 0) continue;
    levels_.push_back(seconds_per_frame > 0 ? RemainingSeconds(running, now) / seconds_per_frame
                                            : static_cast<double>(running.frames));
  }
  std::sort(levels_.begin(), levels_.end());

  // The idle workers stand at 0. Those who run batches get a part only while they stand below the level.
  double takers = std::max<double>(workers_ - static_cast<double>(levels_.size()), 1);
  double poured = static_cast<double>(waiting);
  for (const double level : levels_) {
    if (level * takers >= poured) break;
    poured += level;
    ++takers;
  }
  return std::clamp<int64_t>(static_cast<int64_t>(std::ceil(poured / takers)), 1, waiting);
}

std::optional<absl::Duration> Workload::TimeFor(int network, int64_t frames) const {
  const double seconds_per_frame = SecondsPerFrame(network);
  if (seconds_per_frame == 0) return std::nullopt;
  return absl::Seconds(seconds_per_frame * static_cast<double>(frames));
}

// A moment in which all went well is no promise.
double Workload::CautiousSecondsPerFrame(const Pace& pace) {
  return pace.frames > 0 ? std::max(pace.seconds / pace.frames, pace.sums.y / pace.sums.x) : 0;
}

int64_t Workload::FrameCost(int network) const {
  const Pace* const own = PaceOf(network);
  const double seconds = CautiousSecondsPerFrame(own != nullptr ? *own : overall_);
  return seconds == 0 ? 0 : std::max<int64_t>(std::llround(seconds * 1e9), 1);
}

absl::Duration Workload::CautiousTimeFor(int network, int64_t frames, int64_t batches, SteadyTime now) const {
  const Pace* const pace = PaceOf(network);
  if (pace == nullptr) return absl::ZeroDuration();
  // What the recent batches took beside their own cost, they took for their frames.
  const double per_batch = std::min(pace->SecondsPerBatch(), kMostOfTime * pace->seconds / pace->batches);
  const double per_frame = std::max(CautiousSecondsPerFrame(*pace) - per_batch * pace->batches / pace->frames, 0.0);
  const double seconds = per_frame * static_cast<double>(frames) + per_batch * static_cast<double>(batches);
  const int64_t halvings = std::clamp<int64_t>((now - pace->measured) / kTrustHalves, 0, 60);
  return absl::Seconds(std::ldexp(seconds, -static_cast<int>(halvings)));
}

int64_t Workload::BatchCostInFrames(int network) const {
  const Pace* const pace = PaceOf(network);
  return pace == nullptr ? 0 : std::llround(pace->SecondsPerBatch() * pace->frames / pace->seconds);
}

absl::Duration Workload::Remaining(SteadyTime now) const {
  double seconds = 0;
  for (const Running& running : running_) {
    if (running.network >= 0) seconds += RemainingSeconds(running, now);
  }
  return absl::Seconds(seconds);
}

absl::Duration Workload::Busy(SteadyTime now) const {
  absl::Duration busy = ended_;
  for (const Running& running : running_) {
    if (running.network >= 0) busy += now - running.start;
  }
  return busy;
}

}  // namespace hearwire
