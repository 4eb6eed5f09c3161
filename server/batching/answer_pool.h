// Tells calls what became of them.

#ifndef HEARWIRE_SERVER_BATCHING_ANSWER_POOL_H_
#define HEARWIRE_SERVER_BATCHING_ANSWER_POOL_H_

#include <memory>
#include <vector>

#include "server/batching/batcher.h"
#include "server/batching/call_work.h"
#include "server/concurrency/thread_pool.h"

namespace hearwire {

using Calls = std::vector<std::shared_ptr<CallWork>>;

// Calls `done` of a call of which nothing waits or runs any more, and destroys it.
void AnswerCall(CallWork* call, BatchObserver* observer);

// Threads that answer, so that a worker does not. No more calls wait here than their callers have in flight. Ended by
// its destructor, when all have been answered.
class AnswerPool {
 public:
  // threads: at least 1. observer must outlive the pool.
  AnswerPool(int threads, BatchObserver* observer);

  // Takes the calls and leaves `calls` empty; does not wait for them. Calls are begun in their order, each on the first
  // thread that is free. Thread-safe.
  void Answer(Calls* calls);

 private:
  const int thread_count_;
  BatchObserver* const observer_;
  ThreadPool threads_;  // Last: its tasks use all of the above.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_ANSWER_POOL_H_
