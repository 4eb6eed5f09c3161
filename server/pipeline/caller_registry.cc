#include "server/pipeline/caller_registry.h"

#include <utility>

namespace hearwire {

std::unique_ptr<CallerRegistry::Number> CallerRegistry::Enter(std::string_view name, int weight) {
  MutexLock lock(&mu_);
  auto found = callers_.find(name);
  if (found == callers_.end()) {
    int number = static_cast<int>(callers_.size());  // All below are taken when none is free.
    if (!free_.empty()) {
      number = free_.back();
      free_.pop_back();
    }
    found = callers_.emplace(std::string(name), Caller{.number = number}).first;
  }
  ++found->second.calls;
  return std::unique_ptr<Number>(new Number(this, std::string(name), found->second.number, weight));
}

CallerRegistry::Number::~Number() {
  MutexLock lock(&registry_->mu_);
  const auto found = registry_->callers_.find(name_);
  if (--found->second.calls > 0) return;
  registry_->free_.push_back(value_);
  registry_->callers_.erase(found);
}

int CallerRegistry::callers() const {
  MutexLock lock(&mu_);
  return static_cast<int>(callers_.size());
}

}  // namespace hearwire
