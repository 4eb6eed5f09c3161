#include "server/batching/work_ahead.h"

#include <algorithm>
#include <tuple>

namespace hearwire {
namespace {

int64_t Nanoseconds(absl::Duration duration) { return absl::ToInt64Nanoseconds(duration); }

template <typename A, typename B>
bool RunsAfter(const A& a, const B& b) {
  return std::tie(a.position, a.arrival) > std::tie(b.position, b.arrival);
}

}  // namespace

WorkAhead::WorkAhead(const Workload* workload, const CallerShares* shares, int64_t max_batch_frames,
                     int64_t min_shared_frames)
    : workload_(workload),
      shares_(shares),
      max_batch_frames_(max_batch_frames),
      min_shared_frames_(min_shared_frames) {}

WorkAhead::Line* WorkAhead::LineOf(const Work& work) {
  const size_t network = static_cast<size_t>(work.network);
  const size_t caller = static_cast<size_t>(work.caller);
  if (network >= networks_.size()) networks_.resize(network + 1);
  std::vector<Line>& lines = networks_[network].lines;
  if (caller >= lines.size()) lines.resize(caller + 1);
  return &lines[caller];
}

const WorkAhead::Line* WorkAhead::FindLine(int network, int caller) const {
  if (static_cast<size_t>(network) >= networks_.size()) return nullptr;
  const std::vector<Line>& lines = networks_[static_cast<size_t>(network)].lines;
  return static_cast<size_t>(caller) < lines.size() ? &lines[static_cast<size_t>(caller)] : nullptr;
}

void WorkAhead::Add(const Work& work) {
  Line* const line = LineOf(work);
  const auto place = std::partition_point(line->items.begin(), line->items.end(),
                                          [&](const Item& item) { return RunsAfter(item, work); });
  line->items.insert(place, {work.position, work.arrival, work.frames, work.promise});
  line->frames += work.frames;
  networks_[static_cast<size_t>(work.network)].frames += work.frames;
  frames_ += work.frames;
}

void WorkAhead::Remove(const Work& work) {
  Line* const line = LineOf(work);
  const auto place = std::partition_point(line->items.begin(), line->items.end(),
                                          [&](const Item& item) { return RunsAfter(item, work); });
  line->frames -= place->frames;
  networks_[static_cast<size_t>(work.network)].frames -= place->frames;
  frames_ -= place->frames;
  line->items.erase(place);
}

void WorkAhead::Change(const Work& work, int64_t frames, int64_t position) {
  Remove(work);
  Work changed = work;
  changed.frames = frames;
  changed.position = position;
  Add(changed);
}

int64_t WorkAhead::FramesOf(int network) const {
  return static_cast<size_t>(network) < networks_.size() ? networks_[static_cast<size_t>(network)].frames : 0;
}

int64_t WorkAhead::FramesOf(int network, int caller) const {
  const Line* const line = FindLine(network, caller);
  return line == nullptr ? 0 : line->frames;
}

int64_t WorkAhead::OthersBefore(int network, int caller, int64_t work) const {
  const Line* const line = FindLine(network, caller);
  if (frames_ == (line == nullptr ? 0 : line->frames)) return 0;  // There are none.
  // Networks of this caller take turns in work, so while `work` runs each other one has as much at most.
  int64_t mine = work;
  work_of_callers_.clear();
  for (size_t n = 0; n < networks_.size(); ++n) {
    if (networks_[n].frames == 0) continue;
    const int64_t cost = workload_->FrameCost(static_cast<int>(n));
    const std::vector<Line>& lines = networks_[n].lines;
    if (work_of_callers_.size() < lines.size()) work_of_callers_.resize(lines.size());
    for (size_t c = 0; c < lines.size(); ++c) {
      const int64_t theirs = lines[c].frames * cost;
      if (static_cast<int>(c) != caller) {
        work_of_callers_[c] += theirs;
      } else if (static_cast<int>(n) != network) {
        mine += std::min(theirs, work);
      }
    }
  }
  int64_t others = mine - work;
  for (size_t c = 0; c < work_of_callers_.size(); ++c) {
    if (work_of_callers_[c] == 0) continue;
    others += std::min(work_of_callers_[c], mine / shares_->weight(caller) * shares_->weight(static_cast<int>(c)));
  }
  return others;
}

absl::Duration WorkAhead::OwnTime(int network, int64_t frames, int64_t windows, SteadyTime now) const {
  // Its windows run on as many workers as its parts are worth.
  const int64_t workers = std::clamp<int64_t>(std::min(windows, frames / min_shared_frames_), 1, workload_->workers());
  const int64_t most =
      std::max<int64_t>(std::min(max_batch_frames_ / std::max<int64_t>(frames / windows, 1), windows), 1);
  const int64_t batches = (windows + most - 1) / most;
  return workload_->CautiousTimeFor(network, frames, batches, now) / workers;
}

Expectation WorkAhead::Expect(int network, int caller, int64_t frames, int64_t windows, SteadyTime now) const {
  Expectation expected{.position = frames, .start = {}, .end = {}, .own = OwnTime(network, frames, windows, now)};
  const int64_t cost = workload_->FrameCost(network);
  const int64_t workers = workload_->workers();
  const int64_t own = frames * cost;
  const int64_t running = Nanoseconds(workload_->Remaining(now)) / workers;
  int64_t ahead = 0;  // In frames.
  if (const Line* const line = FindLine(network, caller)) {
    // When the last of those that stand behind it would end, if all were late by the same: the worst case for others'
    // work, which saves looking at each.
    const int64_t delay = own + OthersBefore(network, caller, line->frames * cost + own);
    const int64_t start = Nanoseconds(now - SteadyTime()) + running;
    int64_t before = 0;
    for (auto item = line->items.rbegin(); item != line->items.rend(); ++item) {
      before += item->frames;
      if (item->position <= expected.position) {
        ahead = before;
      } else if (item->promise != std::numeric_limits<int64_t>::max() &&
                 start + (delay + before * cost) / workers > item->promise) {
        expected.position = item->position;
        ahead = before;
      }
    }
  }
  const int64_t work = ahead * cost;
  expected.start = absl::Nanoseconds(running + (work + OthersBefore(network, caller, work)) / workers);
  expected.end =
      absl::Nanoseconds(running + (work + OthersBefore(network, caller, work + own)) / workers) + expected.own;
  return expected;
}

}  // namespace hearwire
