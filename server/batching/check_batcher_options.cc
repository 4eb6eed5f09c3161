#include "server/batching/check_batcher_options.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace hearwire {

absl::Status CheckBatcherOptions(const BatcherOptions& options) {
  const auto must_be_positive = [](const char* name, int64_t value) {
    return value > 0 ? absl::OkStatus()
                     : absl::InvalidArgumentError(absl::StrCat(name, " is ", value, "; it must be at least 1"));
  };
  absl::Status status = must_be_positive("workers", options.workers);
  if (!options.worker_cpus.empty() && options.worker_cpus.size() != static_cast<size_t>(options.workers)) {
    status.Update(absl::InvalidArgumentError(
        absl::StrCat("worker_cpus has ", options.worker_cpus.size(), " CPUs for ", options.workers, " workers")));
  }
  status.Update(must_be_positive("max_batch_frames", options.queue.max_batch_frames));
  status.Update(must_be_positive("min_timed_frames", options.queue.min_timed_frames));
  if (options.queue.max_batch_time <= absl::ZeroDuration()) {
    status.Update(absl::InvalidArgumentError(absl::StrCat(
        "max_batch_time is ", absl::FormatDuration(options.queue.max_batch_time), "; it must be positive")));
  }
  status.Update(must_be_positive("max_queued_frames", options.queue.max_queued_frames));
  status.Update(must_be_positive("min_shared_frames", options.queue.min_shared_frames));
  status.Update(must_be_positive("credit_frames", options.queue.credit_frames));
  if (options.queue.max_queue_time < absl::ZeroDuration()) {
    status.Update(absl::InvalidArgumentError(absl::StrCat(
        "max_queue_time is ", absl::FormatDuration(options.queue.max_queue_time), "; it must not be negative")));
  }
  if (options.answer_threads < 0) {
    status.Update(absl::InvalidArgumentError(
        absl::StrCat("answer_threads is ", options.answer_threads, "; it must not be negative")));
  }
  if (options.queue.max_queue_delay < absl::ZeroDuration()) {
    status.Update(absl::InvalidArgumentError(absl::StrCat(
        "max_queue_delay is ", absl::FormatDuration(options.queue.max_queue_delay), "; it must not be negative")));
  }
  return status;
}

}  // namespace hearwire
