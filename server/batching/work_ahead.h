// All work that was let in, and from that how long a call that comes now would take. No clock: times come in.

#ifndef HEARWIRE_SERVER_BATCHING_WORK_AHEAD_H_
#define HEARWIRE_SERVER_BATCHING_WORK_AHEAD_H_

#include <cstdint>
#include <limits>
#include <vector>

#include "absl/time/time.h"
#include "server/batching/caller_shares.h"
#include "server/batching/workload.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

// The work that one call has left, where it stands, and when it is to be done.
struct Work {
  int network = 0;
  int caller = 0;
  int64_t frames = 0;    // That no batch has taken, prepared or not.
  int64_t position = 0;  // As in CallOrder, in frames.
  int64_t arrival = 0;
  // In nanoseconds of the steady clock. A newcomer that would make the work end later has to stand behind it.
  int64_t promise = std::numeric_limits<int64_t>::max();
};

struct Expectation {
  int64_t position = 0;  // Where it is to stand: its own work, or behind the last of those that it must not pass.
  absl::Duration start;  // Until what stands before it has run.
  absl::Duration end;    // Until it has run itself, beside others.
  absl::Duration own;    // What it would take alone, as Workload::CautiousTimeFor has it.
};

// Not thread-safe.
class WorkAhead {
 public:
  // Both must outlive it. min_shared_frames: as in BatchQueueOptions, likewise max_batch_frames.
  WorkAhead(const Workload* workload, const CallerShares* shares, int64_t max_batch_frames, int64_t min_shared_frames);

  // O(calls of its caller and network), but a few bytes each: a microsecond for a thousand of them.
  void Add(const Work& work);
  // To be given as it was added, but for frames and promise.
  void Remove(const Work& work);
  // Gives what was added new frames and a new position.
  void Change(const Work& work, int64_t frames, int64_t position);

  // What a call of so many frames in so many windows has to expect if it comes now. Times are zero while no pace is
  // known. Of other callers, each is taken to get its share until its work is done, of this caller's other networks
  // likewise; calls that come later are not foreseen.
  Expectation Expect(int network, int caller, int64_t frames, int64_t windows, SteadyTime now) const;

  // Of one network, or of one caller on it.
  int64_t FramesOf(int network) const;
  int64_t FramesOf(int network, int caller) const;

 private:
  struct Item {
    int64_t position;
    int64_t arrival;
    int64_t frames;
    int64_t promise;
  };
  // The calls of one caller on one network, the last to run first: changes are mostly at the end.
  struct Line {
    std::vector<Item> items;
    int64_t frames = 0;
  };
  struct Network {
    std::vector<Line> lines;  // By caller.
    int64_t frames = 0;
  };

  Line* LineOf(const Work& work);
  const Line* FindLine(int network, int caller) const;
  // Work of others that runs before `work` of this caller on this network has run; all in nanoseconds of one worker.
  int64_t OthersBefore(int network, int caller, int64_t work) const;
  absl::Duration OwnTime(int network, int64_t frames, int64_t windows, SteadyTime now) const;

  const Workload* const workload_;
  const CallerShares* const shares_;
  const int64_t max_batch_frames_;
  const int64_t min_shared_frames_;
  std::vector<Network> networks_;
  int64_t frames_ = 0;
  mutable std::vector<int64_t> work_of_callers_;  // Of OthersBefore; kept for its memory.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_WORK_AHEAD_H_
