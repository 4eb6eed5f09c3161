#include "server/batching/workload.h"

#include <algorithm>
#include <cmath>

namespace hearwire {
namespace {

// Of the old average, what each new batch leaves.
constexpr double kMemory = 0.8;

}  // namespace

void Workload::Pace::Observe(double new_frames, double new_seconds) {
  frames = kMemory * frames + new_frames;
  seconds = kMemory * seconds + new_seconds;
}

Workload::Workload(int workers) : workers_(workers) {}

int Workload::Begin(int network, int64_t frames, SteadyTime now) {
  size_t number = 0;
  while (number < running_.size() && running_[number].network >= 0) ++number;
  if (number == running_.size()) running_.emplace_back();
  running_[number] = {network, frames, now};
  return static_cast<int>(number);
}

void Workload::End(int number, SteadyTime now, bool learn) {
  Running& running = running_[static_cast<size_t>(number)];
  const double seconds = absl::ToDoubleSeconds(now - running.start);
  if (learn && seconds > 0) {
    const size_t network = static_cast<size_t>(running.network);
    if (network >= paces_.size()) paces_.resize(network + 1);
    paces_[network].Observe(static_cast<double>(running.frames), seconds);
    overall_.Observe(static_cast<double>(running.frames), seconds);
  }
  running.network = -1;
}

double Workload::SecondsPerFrame(int network) const {
  const size_t index = static_cast<size_t>(network);
  const Pace& pace = index < paces_.size() && paces_[index].frames > 0 ? paces_[index] : overall_;
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

absl::Duration Workload::Remaining(SteadyTime now) const {
  double seconds = 0;
  for (const Running& running : running_) {
    if (running.network >= 0) seconds += RemainingSeconds(running, now);
  }
  return absl::Seconds(seconds);
}

}  // namespace hearwire
