// The errors that the pipeline itself makes.

#ifndef HEARWIRE_SERVER_PIPELINE_CALL_ERRORS_H_
#define HEARWIRE_SERVER_PIPELINE_CALL_ERRORS_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/batching/batcher.h"
#include "server/concurrency/border.h"
#include "server/pipeline/admission.h"
#include "server/pipeline/call.h"

namespace hearwire {

// INVALID_ARGUMENT with the clip's index, which a stream's has not, and the field that holds its samples.
CallError BadClip(const CallRequest& request, int clip, std::string_view message);

// RESOURCE_EXHAUSTED that never passes. at_least: not every clip has been counted.
CallError ReplyTooLarge(int64_t bytes, int64_t limit, bool at_least);

// RESOURCE_EXHAUSTED that passes.
CallError NotAdmitted(Admission::Refusal refusal, int max_calls, int64_t max_bytes, const Batcher& batcher);

// RESOURCE_EXHAUSTED that passes: an allocation for the call has failed, or would leave too little.
CallError OutOfMemory();

// What a call fails with of whose work Contain returned that status: OutOfMemory, or INTERNAL.
CallError FromContained(const absl::Status& status);

// Runs a call's own work, which returns what it fails with, if anything; what it throws is one of these.
template <typename Work>
std::optional<CallError> ContainCall(Work&& work) {
  std::optional<CallError> error;
  const absl::Status thrown = Contain([&] { error = work(); });
  return thrown.ok() ? std::move(error) : std::optional(FromContained(thrown));
}

CallError CallerGone();
CallError DeadlinePassed();
CallError ShuttingDown();

// What the status of a refused or failed call means: refusals carry the batcher's mark.
CallError FromBatcher(const absl::Status& status, const Batcher& batcher);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_CALL_ERRORS_H_
