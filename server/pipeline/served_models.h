// What calls are served with, and the one place where that changes while they are.

#ifndef HEARWIRE_SERVER_PIPELINE_SERVED_MODELS_H_
#define HEARWIRE_SERVER_PIPELINE_SERVED_MODELS_H_

#include <memory>
#include <utility>

#include "server/concurrency/mutex.h"
#include "server/pipeline/head_catalog.h"
#include "server/pipeline/network_catalog.h"

namespace hearwire {

// The heads read these networks. Immutable once the networks are placed.
struct Models {
  NetworkCatalog networks;
  HeadCatalog heads;
};

// A call asks once, and keeps the networks and heads that it found until it has ended, whatever is served by then. What
// is no longer served ends with the last call that has it. Thread-safe.
class ServedModels {
 public:
  explicit ServedModels(Models models) : current_(std::make_shared<const Models>(std::move(models))) {}

  // Never null.
  std::shared_ptr<const Models> Get() const {
    MutexLock lock(&mu_);
    return current_;
  }

  // For the calls that come from now on.
  void Set(Models models) {
    auto next = std::make_shared<const Models>(std::move(models));
    MutexLock lock(&mu_);
    current_.swap(next);  // What was ends without the lock.
  }

 private:
  mutable Mutex mu_;
  std::shared_ptr<const Models> current_ ABSL_GUARDED_BY(mu_);
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_SERVED_MODELS_H_
