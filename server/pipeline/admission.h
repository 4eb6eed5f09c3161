// Counts the calls that are in flight and the bytes they hold, and says when there is no room for more.

#ifndef HEARWIRE_SERVER_PIPELINE_ADMISSION_H_
#define HEARWIRE_SERVER_PIPELINE_ADMISSION_H_

#include <cstdint>
#include <memory>
#include <variant>

#include "server/concurrency/mutex.h"

namespace hearwire {

// Thread-safe.
class Admission {
 public:
  enum class Refusal { kTooManyCalls, kMemoryFull };

  // What one call holds. Given back when it is destroyed, which must be before the Admission is. Thread-safe.
  class Share {
   public:
    Share(Admission* admission, int64_t bytes) : admission_(admission), bytes_(bytes) {}
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Takes `bytes` more. False, and nothing taken, when others hold something and all together would pass the limit.
    bool Grow(int64_t bytes);
    void Shrink(int64_t bytes);
    // Gives back what is above `bytes`.
    void ShrinkTo(int64_t bytes);

   private:
    Admission* const admission_;
    int64_t bytes_;  // Guarded by admission_->mu_.
  };

  Admission(int max_calls, int64_t max_bytes) : max_calls_(max_calls), max_bytes_(max_bytes) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // One call more, which holds `bytes` already. Bytes are refused as Share::Grow refuses them.
  std::variant<std::unique_ptr<Share>, Refusal> Admit(int64_t bytes);

  int calls() const;
  int64_t bytes() const;

 private:
  const int max_calls_;
  const int64_t max_bytes_;

  mutable Mutex mu_;
  int calls_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_ADMISSION_H_
