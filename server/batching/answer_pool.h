// Tells calls what became of them.

#ifndef HEARWIRE_SERVER_BATCHING_ANSWER_POOL_H_
#define HEARWIRE_SERVER_BATCHING_ANSWER_POOL_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "server/batching/batcher.h"
#include "server/batching/call_work.h"
#include "server/concurrency/thread_pool.h"

namespace hearwire {

// What a call is to be told: rows that are there, its end, or both.
struct Answer {
  std::shared_ptr<CallWork> call;
  // CallWork::computed of these windows, if there are any. The last answer takes the function away from the call.
  std::shared_ptr<const ComputedFunction> computed;
  int64_t first_window = 0;
  int64_t windows = 0;
  bool ended = false;  // CallWork::done.
};
using Answers = std::vector<Answer>;

// Tells them, on this thread, and leaves `answers` empty. Calls that have ended are destroyed.
void TellHere(Answers* answers, BatchObserver* observer);

// Threads that answer, so that a worker does not. No more answers wait here than their callers have batches in flight.
// Ended by its destructor, when all have been answered.
class AnswerPool {
 public:
  // threads: at least 1. observer must outlive the pool.
  AnswerPool(int threads, BatchObserver* observer);

  // Takes the answers and leaves `answers` empty; does not wait for them. They are begun in their order, each on the
  // first thread that is free. Thread-safe.
  void Take(Answers* answers);

 private:
  const int thread_count_;
  BatchObserver* const observer_;
  ThreadPool threads_;  // Last: its tasks use all of the above.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_ANSWER_POOL_H_
