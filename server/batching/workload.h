// What the workers are doing, how fast they are, and so how much the next one to ask should take.

#ifndef HEARWIRE_SERVER_BATCHING_WORKLOAD_H_
#define HEARWIRE_SERVER_BATCHING_WORKLOAD_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

// Pure policy: times come in. Not thread-safe.
class Workload {
 public:
  // workers: threads that run batches, at least 1.
  explicit Workload(int workers);

  // A worker begins a batch; returns a number for End.
  int Begin(int network, int64_t frames, SteadyTime now);
  // That batch has ended. learn: whether its time says how fast the network runs; not when it failed. more_waits: as
  // much as fills the next batch; then all time until that begins is counted to it, because it goes into answers,
  // preparation and others' use of the processor, and those are part of the pace.
  void End(int number, SteadyTime now, bool learn, bool more_waits = false);

  // No batch of it runs, and its number may be another network's from now on: its pace is not known.
  void Forget(int network);

  // A worker asked for a batch, and there was none: no time until the next one counts.
  void Rest();

  // Of `waiting` frames of a network, those that a worker without a batch should take so that all workers end together:
  // what waits is poured over the workers up to one level, on top of what each still has to run. At least 1 and at most
  // `waiting`, which is at least 1.
  int64_t Share(int network, int64_t waiting, SteadyTime now) const;

  // How long one worker needs for that many frames, by the recent pace of the network, or else of all networks. Nothing
  // while no batch has ended.
  std::optional<absl::Duration> TimeFor(int network, int64_t frames) const;

  // What a frame costs, with its part of what each batch costs beside its frames, in nanoseconds: by the recent pace of
  // the network or by that of a longer time, whichever is slower; or else by that of all. At least 1; 0 while no batch
  // has ended.
  int64_t FrameCost(int network) const;

  // How long one worker needs for a call of so many frames in so many batches, by what batches of that network took: so
  // much per frame and so much per batch. Zero while none of the network has ended. Halved for each 2 s since the last
  // one: a pace that was measured in a bad moment must not keep calls out, and itself from being measured, for ever.
  absl::Duration CautiousTimeFor(int network, int64_t frames, int64_t batches, SteadyTime now) const;

  // Frames of a network that take as long as what each of its batches costs beside its frames; 0 while that is unknown.
  int64_t BatchCostInFrames(int network) const;

  // How long the running batches will still take, summed.
  absl::Duration Remaining(SteadyTime now) const;

  // Time in batches of all workers since the start, those that failed and that run now too. Never falls.
  absl::Duration Busy(SteadyTime now) const;

  int workers() const { return workers_; }

 private:
  // Exponential averages over batches, weighted by their size.
  struct Pace {
    double frames = 0;
    double seconds = 0;
    double batches = 0;
    // Over more batches, for the line through them.
    struct {
      double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    } sums;
    SteadyTime measured;  // The last one.
    void Observe(double new_frames, double new_seconds, SteadyTime now);
    double SecondsPerBatch() const;
  };
  struct Running {
    int network = -1;  // Negative: no batch here.
    int64_t frames = 0;
    SteadyTime start;
    SteadyTime busy_since;  // The start, or the end of the one before.
    bool busy_until_the_next = false;
  };

  const Pace* PaceOf(int network) const;  // Null: none of it has ended.
  static double CautiousSecondsPerFrame(const Pace& pace);
  double SecondsPerFrame(int network) const;  // 0 when nothing is known.
  double RemainingSeconds(const Running& running, SteadyTime now) const;

  const int workers_;
  std::vector<Running> running_;  // By number.
  std::vector<Pace> paces_;       // By network.
  Pace overall_;
  absl::Duration ended_;                // Of batches that have ended, their time.
  mutable std::vector<double> levels_;  // Of Share; kept for its memory.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_WORKLOAD_H_
