// A batcher over a fake backend whose embedding a test can hold back or make fail.

#ifndef HEARWIRE_TESTS_SERVER_BATCHING_BATCHER_FIXTURE_H_
#define HEARWIRE_TESTS_SERVER_BATCHING_BATCHER_FIXTURE_H_

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <utility>

#include "server/batching/batcher.h"
#include "tests/fixtures/fake_embedder.h"
#include "tests/server/batching/recording_observer.h"
#include "tests/server/batching/test_call.h"

namespace hearwire {

// Every Embed passes the gate, which is open unless a test asks for a closed one, and then fails when one of its
// windows is marked.
class BatcherTest : public testing::Test {
 protected:
  BatcherTest() {
    for (int network = 0; network < 2; ++network) backend_.AddNetwork(nullptr, {}).IgnoreError();
    backend_.set_before_embed([this](int network, absl::Span<const WindowRequest> batch) {
      if (gated_) (network == 0 ? gate_ : second_gate_).Pass();
      for (const WindowRequest& request : batch) {
        if (const auto it = failures_.find(request.row); it != failures_.end()) return it->second;
      }
      return absl::OkStatus();
    });
    options_.queue.max_batch_frames = 64;
    options_.queue.max_queued_frames = 1 << 20;
    options_.queue.min_shared_frames = 1;
    options_.queue.max_queue_delay = absl::Hours(1);  // Whatever waits for company waits until a test says otherwise.
  }
  ~BatcherTest() override {
    gate_.Open();
    second_gate_.Open();
  }

  void Start(int workers = 1) {
    options_.workers = workers;
    absl::StatusOr<std::unique_ptr<Batcher>> batcher = Batcher::Create(options_, &backend_, &observer_);
    ASSERT_TRUE(batcher.ok()) << batcher.status();
    batcher_ = *std::move(batcher);
  }

  // Starts with a closed gate, and a call of one window that holds the only worker in it.
  void StartWithABusyWorker() {
    gated_ = true;
    Start(1);
    ASSERT_TRUE(batcher_->Submit(first_.work()).ok());
    gate_.WaitForArrivals(1);
  }

  void FailWindow(const TestCall& call, size_t window, const absl::Status& status) {
    failures_[call.work()->requests[window].row] = status;
  }

  FakeBackend backend_;
  RecordingObserver observer_;
  Gate gate_;         // Of network 0.
  Gate second_gate_;  // Of network 1.
  bool gated_ = false;
  std::map<const float*, absl::Status> failures_;
  BatcherOptions options_;
  TestCall first_{0, 1, 1, 99};
  std::unique_ptr<Batcher> batcher_;
};

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_SERVER_BATCHING_BATCHER_FIXTURE_H_
