// Networks that engines hold go back to them when nobody has them any more.

#ifndef HEARWIRE_SERVER_ENGINES_NETWORK_RETURNS_H_
#define HEARWIRE_SERVER_ENGINES_NETWORK_RETURNS_H_

#include <memory>
#include <utility>
#include <vector>

#include "models/embedder.h"
#include "server/batching/batcher.h"
#include "server/concurrency/mutex.h"

namespace hearwire {

// Where they go, one for each engine: at any time, from any thread, also when the engine has ended. Thread-safe.
class NetworkReturns {
 public:
  // Both outlive what is returned, until Close.
  void set_backend(Backend* backend) {
    MutexLock lock(&mu_);
    backend_ = backend;
  }
  void set_batcher(Batcher* batcher) {
    MutexLock lock(&mu_);
    batcher_ = batcher;
  }
  void Close() {
    MutexLock lock(&mu_);
    backend_ = nullptr;
    batcher_ = nullptr;
  }

  // The batcher first: the backend may give the index to another network at once.
  void Return(int index) {
    MutexLock lock(&mu_);
    if (batcher_ != nullptr) batcher_->Forget(index);
    if (backend_ != nullptr) backend_->RemoveNetwork(index);
  }

 private:
  Mutex mu_;
  Backend* backend_ ABSL_GUARDED_BY(mu_) = nullptr;
  Batcher* batcher_ ABSL_GUARDED_BY(mu_) = nullptr;
};

// A network that several engines may hold; its end gives it back to all of them.
class HeldNetwork {
 public:
  HeldNetwork() = default;
  HeldNetwork(const HeldNetwork&) = delete;
  HeldNetwork& operator=(const HeldNetwork&) = delete;
  ~HeldNetwork() {
    for (const auto& [returns, index] : held_) returns->Return(index);
  }
  void Add(std::shared_ptr<NetworkReturns> returns, int index) { held_.emplace_back(std::move(returns), index); }

 private:
  std::vector<std::pair<std::shared_ptr<NetworkReturns>, int>> held_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_ENGINES_NETWORK_RETURNS_H_
