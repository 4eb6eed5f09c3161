#include "server/batching/answer_pool.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>

namespace hearwire {

void AnswerCall(CallWork* call, BatchObserver* observer) {
  const CallWork::Progress& progress = call->progress;
  if (progress.dropped) observer->OnDropped(progress.status.code());
  const auto done = std::exchange(call->done, nullptr);
  done(progress.status, progress.times);
}

AnswerPool::AnswerPool(int threads, BatchObserver* observer)
    : thread_count_(threads), observer_(observer), threads_("answer", threads) {}

// A task a thread, not one a call: whoever hands over a batch of calls takes the pool's lock a few times only.
void AnswerPool::Answer(Calls* calls) {
  if (calls->empty()) return;
  struct Handover {
    Calls calls;
    std::atomic<size_t> next = 0;
  };
  auto handover = std::make_shared<Handover>();
  handover->calls = std::exchange(*calls, {});
  const size_t tasks = std::min(handover->calls.size(), static_cast<size_t>(thread_count_));
  for (size_t i = 0; i < tasks; ++i) {
    threads_.Schedule([this, handover] {
      for (size_t call; (call = handover->next++) < handover->calls.size();) {
        AnswerCall(std::exchange(handover->calls[call], nullptr).get(), observer_);
      }
    });
  }
}

}  // namespace hearwire
