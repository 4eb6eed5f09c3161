#include "server/access/stream_counter.h"

namespace hearwire {

StreamCounter::Entry StreamCounter::Enter(std::string_view caller, int most_of_caller) {
  MutexLock lock(&mu_);
  const auto found = callers_.find(caller);
  if (found != callers_.end() && found->second >= most_of_caller) return Entry::kCallerFull;
  if (open_ >= most_) return Entry::kFull;
  if (found == callers_.end()) {
    callers_.emplace(caller, 1);
  } else {
    ++found->second;
  }
  ++open_;
  return Entry::kIn;
}

void StreamCounter::Leave(std::string_view caller) {
  MutexLock lock(&mu_);
  const auto found = callers_.find(caller);
  if (--found->second == 0) callers_.erase(found);
  --open_;
}

int StreamCounter::open() const {
  MutexLock lock(&mu_);
  return open_;
}

}  // namespace hearwire
