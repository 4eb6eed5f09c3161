#include "server/engines/batch_watch.h"

#include <utility>

namespace hearwire {
namespace {

class WatchedEmbedder final : public Embedder {
 public:
  WatchedEmbedder(std::unique_ptr<Embedder> embedder, std::string device, std::shared_ptr<BatchWatch> watch)
      : embedder_(std::move(embedder)), device_(std::move(device)), watch_(std::move(watch)) {}

  absl::Status Embed(int network, absl::Span<const WindowRequest> batch) override {
    const Entry entry(watch_.get(),
                      {.network = network, .device = device_, .windows = batch.size(), .since = SteadyTime::Now()});
    return embedder_->Embed(network, batch);
  }

 private:
  // Ends with the batch, also with one that throws.
  class Entry {
   public:
    Entry(BatchWatch* watch, BatchWatch::Batch batch) : watch_(watch), running_(watch->Begin(std::move(batch))) {}
    ~Entry() { watch_->End(running_); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    BatchWatch* const watch_;
    const BatchWatch::Running running_;
  };

  const std::unique_ptr<Embedder> embedder_;
  const std::string device_;
  const std::shared_ptr<BatchWatch> watch_;
};

class WatchedBackend final : public Backend {
 public:
  WatchedBackend(std::unique_ptr<Backend> backend, std::shared_ptr<BatchWatch> watch)
      : backend_(std::move(backend)), watch_(std::move(watch)) {}

  std::string name() const override { return backend_->name(); }
  std::string device() const override { return backend_->device(); }
  std::string precision() const override { return backend_->precision(); }

  absl::StatusOr<int> AddNetwork(std::shared_ptr<const NetworkWeights> weights, MelSettings mel) override {
    return backend_->AddNetwork(std::move(weights), mel);
  }
  bool networks_may_come_later() const override { return backend_->networks_may_come_later(); }
  void RemoveNetwork(int network) override { backend_->RemoveNetwork(network); }

  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() override {
    absl::StatusOr<std::unique_ptr<Embedder>> embedder = backend_->NewEmbedder();
    if (!embedder.ok()) return embedder;
    return std::make_unique<WatchedEmbedder>(*std::move(embedder), device(), watch_);
  }

  void PrepareFor(absl::Span<const int> networks) override { backend_->PrepareFor(networks); }

 private:
  const std::unique_ptr<Backend> backend_;
  const std::shared_ptr<BatchWatch> watch_;
};

}  // namespace

BatchWatch::Running BatchWatch::Begin(Batch batch) {
  MutexLock lock(&mu_);
  return running_.insert(running_.end(), std::move(batch));
}

void BatchWatch::End(Running running) {
  MutexLock lock(&mu_);
  running_.erase(running);
}

void BatchWatch::Arm(SteadyTime now) {
  MutexLock lock(&mu_);
  armed_ = now;
}

// They stand in the order in which they began.
std::optional<BatchWatch::Batch> BatchWatch::FindOverdue(SteadyTime now, absl::Duration limit) const {
  MutexLock lock(&mu_);
  for (const Batch& batch : running_) {
    if (batch.since >= armed_) return now - batch.since > limit ? std::optional(batch) : std::nullopt;
  }
  return std::nullopt;
}

std::unique_ptr<Backend> WatchBackend(std::unique_ptr<Backend> backend, std::shared_ptr<BatchWatch> watch) {
  return std::make_unique<WatchedBackend>(std::move(backend), std::move(watch));
}

}  // namespace hearwire
