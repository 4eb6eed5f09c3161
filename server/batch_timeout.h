// Looks for batches that hang, on a thread of its own.

#ifndef HEARWIRE_SERVER_BATCH_TIMEOUT_H_
#define HEARWIRE_SERVER_BATCH_TIMEOUT_H_

#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "server/concurrency/periodic.h"
#include "server/engines/batch_watch.h"

namespace hearwire {

class BatchTimeout {
 public:
  // Calls on_overdue once, with the first batch that is found to run for longer than `limit`. Only those count that
  // begin from now on.
  BatchTimeout(std::shared_ptr<BatchWatch> watch, absl::Duration limit,
               std::function<void(const BatchWatch::Batch&)> on_overdue);

 private:
  void Look();

  const std::shared_ptr<BatchWatch> watch_;
  const absl::Duration limit_;
  const std::function<void(const BatchWatch::Batch&)> on_overdue_;
  bool found_ = false;
  Periodic looking_;  // Last: its thread uses the others.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCH_TIMEOUT_H_
