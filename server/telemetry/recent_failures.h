// The last calls that failed, for the page on the metrics port.

#ifndef HEARWIRE_SERVER_TELEMETRY_RECENT_FAILURES_H_
#define HEARWIRE_SERVER_TELEMETRY_RECENT_FAILURES_H_

#include <deque>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/concurrency/mutex.h"
#include "server/telemetry/call_log.h"

namespace hearwire {

// Thread-safe. Keeps the newest 20, each of bounded size.
class RecentFailures {
 public:
  // Calls that succeeded, or were cancelled by their callers, are passed over.
  void Add(const CallRecord& call, absl::Time now);

  // A JSON array, newest first, of objects with time, method, config, code, message and request_id.
  std::string Json() const;

 private:
  mutable Mutex mu_;
  std::deque<std::string> objects_ ABSL_GUARDED_BY(mu_);  // Newest first.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_TELEMETRY_RECENT_FAILURES_H_
