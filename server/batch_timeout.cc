#include "server/batch_timeout.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "server/concurrency/steady_time.h"

namespace hearwire {

BatchTimeout::BatchTimeout(std::shared_ptr<BatchWatch> watch, absl::Duration limit,
                           std::function<void(const BatchWatch::Batch&)> on_overdue)
    : watch_(std::move(watch)),
      limit_(limit),
      on_overdue_(std::move(on_overdue)),
      looking_("batch-timeout", std::clamp(limit / 4, absl::Milliseconds(10), absl::Seconds(1)), [this] { Look(); }) {
  watch_->Arm(SteadyTime::Now());
}

void BatchTimeout::Look() {
  if (found_) return;
  const std::optional<BatchWatch::Batch> overdue = watch_->FindOverdue(SteadyTime::Now(), limit_);
  if (!overdue) return;
  found_ = true;
  on_overdue_(*overdue);
}

}  // namespace hearwire
