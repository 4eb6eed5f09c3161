// Frames that wait, counted over all batchers that share a bound.

#ifndef HEARWIRE_SERVER_BATCHING_QUEUED_FRAMES_H_
#define HEARWIRE_SERVER_BATCHING_QUEUED_FRAMES_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace hearwire {

struct QueuedFrames {
  std::atomic<int64_t> reserved = 0;  // Waiting, or to come for calls that were let in: this is bounded.
  std::atomic<int64_t> waiting = 0;
};

// One batcher's part in it. Not thread-safe, but for `all`.
class FrameCounter {
 public:
  // shared: null when there is no other batcher.
  explicit FrameCounter(std::shared_ptr<QueuedFrames> shared)
      : all_(shared != nullptr ? std::move(shared) : std::make_shared<QueuedFrames>()) {}

  // Room is taken before it is known to be there: so calls for two batchers do not both get the last of it. Returns
  // what is reserved in the others. Set gives back what is not needed.
  int64_t Take(int64_t frames) {
    const int64_t elsewhere = all_->reserved.fetch_add(frames) - reserved_;
    reserved_ += frames;
    return elsewhere;
  }

  // What this batcher has now.
  void Set(int64_t reserved, int64_t waiting) {
    all_->reserved += reserved - std::exchange(reserved_, reserved);
    all_->waiting += waiting - std::exchange(waiting_, waiting);
  }

  const std::shared_ptr<QueuedFrames>& all() const { return all_; }

 private:
  const std::shared_ptr<QueuedFrames> all_;
  int64_t reserved_ = 0;
  int64_t waiting_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_QUEUED_FRAMES_H_
