// Why the batcher refused or failed a call, where the code alone does not say it.

#ifndef HEARWIRE_SERVER_BATCHING_REFUSAL_H_
#define HEARWIRE_SERVER_BATCHING_REFUSAL_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hearwire {

enum class Refusal {
  kQueueFull,         // RESOURCE_EXHAUSTED: too much waits now; see WaitOf, or else Batcher::RetryDelay.
  kDeadlineTooShort,  // RESOURCE_EXHAUSTED: an idle server would not be done with it in time either.
  kCallTooLarge,      // RESOURCE_EXHAUSTED: larger than the whole queue, so it never fits.
  kDeviceLost,        // UNAVAILABLE: this process will embed nothing any more.
};

// Marks a status that is not OK. The mark travels with it as a payload.
absl::Status WithRefusal(absl::Status status, Refusal refusal);

// Nothing when the status carries no mark, as when the embedder itself ran out of memory.
std::optional<Refusal> RefusalOf(const absl::Status& status);

// What calls fail with when the device has failed with that.
absl::Status DeviceLost(const absl::Status& device);

// With a status that is not OK travels how long its call would have had to wait, or, where its deadline was too short,
// would have taken on an idle server; in whole nanoseconds.
absl::Status WithWait(absl::Status status, absl::Duration wait);
std::optional<absl::Duration> WaitOf(const absl::Status& status);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_REFUSAL_H_
