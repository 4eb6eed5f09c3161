// What happens to exceptions.
//
// Hearwire's own code throws none. But memory runs out (std::bad_alloc, or std::length_error of a size that no memory
// has), the system refuses a thread (std::system_error), and libraries throw what they like. The policy:
//
// - A call's own work is contained: reading its message, preparing a slice, running a batch, writing its rows. Contain
//   turns what escapes it into a status. The call fails, out of memory with MEMORY_FULL; nobody else notices.
// - What a thread does again and again for itself (looking at files, at idle streams, collecting metrics, writing a log
//   line) is contained round by round: a round that fails is left out.
// - The start is contained as a whole: it fails with one line and exit code 1. A constructor that starts threads and is
//   refused one ends those that it has started before it throws (StartThreads).
// - What calls share, such as the queue and its orders, cannot be repaired halfway. Nothing contains it: what escapes
//   there, or from any thread or library's callback, ends the process with one line and an exit code of its own
//   (server/last_words.h). Whoever supervises it starts it anew.

#ifndef HEARWIRE_SERVER_CONCURRENCY_BORDER_H_
#define HEARWIRE_SERVER_CONCURRENCY_BORDER_H_

#include <functional>
#include <thread>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"

namespace hearwire {

// The exception that is being handled, as a status: RESOURCE_EXHAUSTED when memory or threads have run out, INTERNAL
// for the rest. Within a catch block only.
absl::Status StatusOfException();

// Runs `work` and returns what it returns: a status, a StatusOr, or nothing, which is OK. What it throws becomes a
// status.
template <typename Work>
auto Contain(Work&& work) {
  using Result = std::invoke_result_t<Work>;
  using Contained = std::conditional_t<std::is_void_v<Result>, absl::Status, Result>;
  try {
    if constexpr (std::is_void_v<Result>) {
      work();
      return absl::OkStatus();
    } else {
      return Contained(work());
    }
  } catch (...) {
    return Contained(StatusOfException());
  }
}

// Appends `count` threads to *threads, each running run(i). Where the system refuses one, `close` is called, which must
// make those that run end; they are joined, and std::system_error goes on to the caller.
void StartThreads(int count, const std::function<void(int)>& run, const std::function<void()>& close,
                  std::vector<std::thread>* threads);

// How many of `count` threads can be started now, beside those there are. They are tried, all at once.
int TryThreads(int count);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_CONCURRENCY_BORDER_H_
