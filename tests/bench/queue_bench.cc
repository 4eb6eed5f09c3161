// What the batcher does under its one lock: letting calls in, cutting batches, ending them. Prints the CPU time of each
// for a call, by how many wait and from how many callers; then how long a lock takes to go from one thread to another
// that waits for it. tests/bench/many_workers.py tells from both where many workers would wait for the lock.
//
//   queue_bench

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "models/embedder.h"
#include "server/batching/batch_queue.h"
#include "server/concurrency/mutex.h"

namespace hearwire {
namespace {

constexpr int kMels = 128;
constexpr int kMostFrames = 1000;
constexpr int kRounds = 9;
constexpr int kLeastCalls = 2000;  // Of a round, in turns of as many as wait.

struct Kind {
  const char* name;
  int windows;
  int frames;            // Of each.
  int64_t batch_frames;  // What a worker takes at a time.
};

constexpr Kind kKinds[] = {{"scene_1s", 1, 100, 1024}, {"scene_10s", 1, 1000, 1024}, {"timestamps_10s", 201, 16, 1024}};

struct Costs {
  double arrive_us = 0;
  double take_us = 0;
  double finish_us = 0;
  double batches = 0;
};

double Microseconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e6 * static_cast<double>(now.tv_sec) + 1e-3 * static_cast<double>(now.tv_nsec);
}

std::vector<std::shared_ptr<CallWork>> MakeCalls(const Kind& kind, int count, int callers, const float* frames) {
  std::vector<std::shared_ptr<CallWork>> calls;
  for (int i = 0; i < count; ++i) {
    auto call = std::make_shared<CallWork>();
    call->network = 0;
    call->caller = i % callers;
    call->caller_id = static_cast<size_t>(i % callers);
    WindowRequest request;
    request.window.mels = kMels;
    request.window.runs[0] = {frames, kind.frames};
    call->requests.assign(static_cast<size_t>(kind.windows), request);
    calls.push_back(std::move(call));
  }
  return calls;
}

// A round in which `waiting` calls come, then are taken, until enough have been.
Costs Round(const Kind& kind, int waiting, int callers, const float* frames) {
  BatchQueueOptions options;
  options.max_batch_frames = kind.batch_frames;
  options.max_queued_frames = int64_t{1} << 40;
  options.max_queue_time = absl::InfiniteDuration();
  options.credit_frames = int64_t{1} << 30;
  BatchQueue queue(options, 64);
  std::vector<DroppedCall> dropped;
  Batch batch;
  SteadyTime now = SteadyTime::Now();
  Costs costs;
  int calls_done = 0;
  while (calls_done < kLeastCalls) {
    const auto calls = MakeCalls(kind, waiting, callers, frames);
    std::vector<std::vector<WindowRequest>> windows;
    for (const auto& call : calls) windows.push_back(std::move(call->requests));
    const Reservation reservation = {.frames = int64_t{kind.windows} * kind.frames, .windows = kind.windows};
    double start = Microseconds();
    for (size_t i = 0; i < calls.size(); ++i) {
      calls[i]->requests.clear();
      if (!queue.Admit(calls[i], reservation, now, &dropped).ok() ||
          !queue.Append(calls[i].get(), std::move(windows[i]), reservation.frames, true, now)) {
        std::abort();
      }
    }
    costs.arrive_us += Microseconds() - start;
    while (true) {
      start = Microseconds();
      const bool taken = queue.TakeBatch(now, false, &batch, &dropped);
      const double middle = Microseconds();
      if (!taken) break;
      now = now + absl::Milliseconds(5);
      queue.FinishBatch(batch, now, true);
      const double end = Microseconds();
      costs.take_us += middle - start;
      costs.finish_us += end - middle;
      ++costs.batches;
      batch.Clear();
    }
    calls_done += waiting;
  }
  costs.arrive_us /= calls_done;
  costs.take_us /= calls_done;
  costs.finish_us /= calls_done;
  costs.batches /= calls_done;
  return costs;
}

// Of a lock that two threads want all the time, each for a microsecond at a time.
double HandOverMicroseconds() {
  constexpr int kTurns = 200'000;
  constexpr absl::Duration kHeld = absl::Microseconds(1);
  Mutex mu;
  const auto hold = [&] {
    for (int i = 0; i < kTurns / 2; ++i) {
      MutexLock lock(&mu);
      const SteadyTime end = SteadyTime::Now() + kHeld;
      while (SteadyTime::Now() < end) {
      }
    }
  };
  const SteadyTime start = SteadyTime::Now();
  std::thread other(hold);
  hold();
  other.join();
  return absl::ToDoubleMicroseconds((SteadyTime::Now() - start) / kTurns - kHeld);
}

void Run() {
  const std::vector<float> frames(size_t{kMels} * kMostFrames);
  std::printf("kind waiting callers arrive_us take_us finish_us batches_per_call\n");
  for (const Kind& kind : kKinds) {
    for (const int waiting : {1, 64, 2048}) {
      for (const int callers : {1, 64}) {
        if (callers > waiting) continue;
        std::vector<Costs> rounds;
        for (int i = 0; i < kRounds; ++i) rounds.push_back(Round(kind, waiting, callers, frames.data()));
        const auto median = [&](double Costs::*member) {
          std::vector<double> values;
          for (const Costs& round : rounds) values.push_back(round.*member);
          std::sort(values.begin(), values.end());
          return values[values.size() / 2];
        };
        std::printf("%s %d %d %.3f %.3f %.3f %.4f\n", kind.name, waiting, callers, median(&Costs::arrive_us),
                    median(&Costs::take_us), median(&Costs::finish_us), median(&Costs::batches));
        std::fflush(stdout);
      }
    }
  }
  std::vector<double> hand_overs;
  for (int i = 0; i < kRounds; ++i) hand_overs.push_back(HandOverMicroseconds());
  std::sort(hand_overs.begin(), hand_overs.end());
  std::printf("hand_over_us %.3f\n", hand_overs[hand_overs.size() / 2]);
}

}  // namespace
}  // namespace hearwire

int main() {
  hearwire::Run();
  return 0;
}
