// Counts the calls that are in flight and the bytes they hold, and says when there is no room for more.

#ifndef HEARWIRE_SERVER_PIPELINE_ADMISSION_H_
#define HEARWIRE_SERVER_PIPELINE_ADMISSION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <variant>

#include "server/concurrency/mutex.h"

namespace hearwire {

// Thread-safe.
class Admission {
 public:
  enum class Refusal { kTooManyCalls, kMemoryFull };

  static constexpr int64_t kLargeBytes = 1 << 20;

  // What one call holds. Given back when it is destroyed, which must be before the Admission is. Thread-safe.
  class Share {
   public:
    Share(Admission* admission, int64_t bytes) : admission_(admission), bytes_(bytes) {}
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Takes `bytes` more. False, and nothing taken, when others hold something and all together would pass the limit,
    // or when the machine has no room for them.
    bool Grow(int64_t bytes);
    void Shrink(int64_t bytes);
    // Gives back what is above `bytes`.
    void ShrinkTo(int64_t bytes);

   private:
    Admission* const admission_;
    int64_t bytes_;  // Guarded by admission_->mu_.
  };

  // has_room: whether the machine has room for so many bytes more, now, whatever the limit says. Asked when a share
  // grows by kLargeBytes or more. Null: it always has.
  // on_change: told what is held, under the lock: it must not block, nor come back here. Null: nobody is told.
  Admission(int max_calls, int64_t max_bytes, std::function<bool(int64_t)> has_room = nullptr,
            std::function<void(int calls, int64_t bytes)> on_change = nullptr)
      : max_calls_(max_calls),
        max_bytes_(max_bytes),
        has_room_(std::move(has_room)),
        on_change_(std::move(on_change)) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // One call more, which holds `bytes` already. Bytes are refused as Share::Grow refuses them.
  std::variant<std::unique_ptr<Share>, Refusal> Admit(int64_t bytes);

  int calls() const;
  int64_t bytes() const;

 private:
  const int max_calls_;
  const int64_t max_bytes_;
  const std::function<bool(int64_t)> has_room_;
  const std::function<void(int, int64_t)> on_change_;

  void Add(int calls, int64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  int calls_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_ADMISSION_H_
