// The errors that the pipeline itself makes.

#ifndef HEARWIRE_SERVER_PIPELINE_CALL_ERRORS_H_
#define HEARWIRE_SERVER_PIPELINE_CALL_ERRORS_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/batching/batcher.h"
#include "server/pipeline/admission.h"
#include "server/pipeline/call.h"

namespace hearwire {

// INVALID_ARGUMENT with the clip's index, which a stream's has not, and the field that holds its samples.
CallError BadClip(const CallRequest& request, int clip, std::string_view message);

// RESOURCE_EXHAUSTED that never passes. at_least: not every clip has been counted.
CallError ReplyTooLarge(int64_t bytes, int64_t limit, bool at_least);

// RESOURCE_EXHAUSTED that passes.
CallError NotAdmitted(Admission::Refusal refusal, int max_calls, int64_t max_bytes, const Batcher& batcher);

CallError CallerGone();
CallError DeadlinePassed();
CallError ShuttingDown();

// What the status of a refused or failed call means: refusals carry the batcher's mark.
CallError FromBatcher(const absl::Status& status, const Batcher& batcher);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_CALL_ERRORS_H_
