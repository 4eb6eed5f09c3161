#include "server/batching/answer_pool.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>

namespace hearwire {
namespace {

void Tell(const Answer& answer, BatchObserver* observer) {
  if (answer.windows > 0 && answer.computed != nullptr) (*answer.computed)(answer.first_window, answer.windows);
  if (!answer.ended) return;
  const CallWork::Progress& progress = answer.call->progress;
  if (progress.dropped) observer->OnDropped(progress.status.code());
  const auto done = std::exchange(answer.call->done, nullptr);
  done(progress.status, progress.times);
}

}  // namespace

void TellHere(Answers* answers, BatchObserver* observer) {
  for (Answer& waiting : *answers) {
    const Answer answer = std::move(waiting);  // Destroyed before the next one is told.
    Tell(answer, observer);
  }
  answers->clear();
}

AnswerPool::AnswerPool(int threads, BatchObserver* observer)
    : thread_count_(threads), observer_(observer), threads_("answer", threads) {}

// A task a thread, not one an answer: whoever hands over a batch's takes the pool's lock a few times only.
void AnswerPool::Take(Answers* answers) {
  if (answers->empty()) return;
  struct Handover {
    Answers answers;
    std::atomic<size_t> next = 0;
  };
  auto handover = std::make_shared<Handover>();
  handover->answers = std::exchange(*answers, {});
  const size_t tasks = std::min(handover->answers.size(), static_cast<size_t>(thread_count_));
  for (size_t i = 0; i < tasks; ++i) {
    threads_.Schedule([this, handover] {
      for (size_t answer; (answer = handover->next++) < handover->answers.size();) {
        const Answer told = std::move(handover->answers[answer]);
        Tell(told, observer_);
      }
    });
  }
}

}  // namespace hearwire
