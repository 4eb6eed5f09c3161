// Many calls, several in flight, their replies in order.

#ifndef HEARWIRE_CLIENT_CLI_ORDERED_CALLS_H_
#define HEARWIRE_CLIENT_CLI_ORDERED_CALLS_H_

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <utility>

#include "absl/status/statusor.h"

namespace hearwire::cli {

template <typename Reply>
using Done = std::function<void(absl::StatusOr<Reply>)>;

// Makes `count` calls, at most `in_flight` at once, and gives each reply to `take` in the order of the calls. Both
// functions run on the caller's thread:
//   start(i, done)   starts call i; done is called once, from any thread, start's own included;
//   take(i, reply)   returns false to end early.
// A slow call holds back the replies behind it, but not their calls, until four times `in_flight` are unfinished or
// untaken: what is in memory does not grow with `count`. Returns false when it ended early, by `take` or by `stop`;
// calls may then still be under way.
template <typename Reply>
bool RunInOrder(size_t count, size_t in_flight, const std::stop_token& stop,
                const std::function<void(size_t, Done<Reply>)>& start,
                const std::function<bool(size_t, absl::StatusOr<Reply>)>& take) {
  struct Finished {
    std::mutex mu;
    std::condition_variable_any changed;
    std::map<size_t, absl::StatusOr<Reply>> replies;  // Not taken yet.
    size_t running = 0;
  };
  const auto finished = std::make_shared<Finished>();  // Calls may outlive this one.
  size_t started = 0;
  for (size_t taken = 0; taken < count;) {
    const auto may_start = [&] {
      return started < count && finished->running < in_flight && started - taken < 4 * in_flight;
    };
    std::unique_lock lock(finished->mu);
    const bool ready = finished->changed.wait(
        lock, stop, [&] { return may_start() || finished->replies.find(taken) != finished->replies.end(); });
    if (!ready || stop.stop_requested()) return false;
    if (auto reply = finished->replies.extract(taken); !reply.empty()) {
      lock.unlock();
      if (!take(taken++, std::move(reply.mapped()))) return false;
    } else {
      ++finished->running;
      lock.unlock();
      start(started, [finished, index = started](absl::StatusOr<Reply> reply) {
        const std::lock_guard guard(finished->mu);
        finished->replies.emplace(index, std::move(reply));
        --finished->running;
        finished->changed.notify_one();
      });
      ++started;
    }
  }
  return true;
}

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_ORDERED_CALLS_H_
