#include "load/knee_search.h"

#include <cmath>

namespace hearwire::load {

std::optional<double> KneeSearch::Next() const { return ended_ ? std::nullopt : std::optional(rate_); }

void KneeSearch::Tell(bool passed) {
  if (ended_) return;
  ++steps_;
  if (confirming_) {
    if (passed) {
      knee_ = rate_;
      ended_ = true;
      return;
    }
    passed_.erase(rate_);
    return Confirm();
  }
  if (passed) {
    passed_.insert(rate_);
  } else {
    lowest_failed_ = rate_;
  }
  if (steps_ >= kMostSteps) return Confirm();
  if (!lowest_failed_) {
    rate_ *= kRise;
    return;
  }
  if (passed_.empty()) {
    rate_ /= 2;
    if (rate_ < kLeastRate) ended_ = true;
    return;
  }
  const double best = *passed_.rbegin();
  if (*lowest_failed_ <= best * step_) return Confirm();
  rate_ = std::sqrt(best * *lowest_failed_);
}

void KneeSearch::Confirm() {
  confirming_ = true;
  if (passed_.empty()) {
    ended_ = true;
    return;
  }
  rate_ = *passed_.rbegin();
}

}  // namespace hearwire::load
