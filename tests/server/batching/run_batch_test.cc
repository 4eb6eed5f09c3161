#include "server/batching/run_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/fixtures/fake_embedder.h"
#include "tests/server/batching/test_call.h"

namespace hearwire {
namespace {

using testing::ElementsAre;

class RunBatchTest : public testing::Test {
 protected:
  RunBatchTest() {
    backend_.AddNetwork(nullptr, {}).IgnoreError();
    backend_.set_before_embed([this](int, absl::Span<const WindowRequest> batch) {
      embedded_.push_back(static_cast<int>(batch.size()));
      for (const WindowRequest& request : batch) {
        if (const auto it = failures_.find(request.row); it != failures_.end()) return it->second;
      }
      return static_cast<int>(batch.size()) > largest_ ? absl::ResourceExhaustedError("too large") : absl::OkStatus();
    });
    embedder_ = *backend_.NewEmbedder();
  }

  // A batch of the calls' windows, in turns.
  absl::Status Run(const std::vector<TestCall*>& calls) {
    Batch batch;
    batch.network = 0;
    for (TestCall* call : calls) batch.calls.push_back(call->work());
    for (size_t window = 0; window < 100; ++window) {
      for (size_t call = 0; call < calls.size(); ++call) {
        if (window >= calls[call]->work()->requests.size()) continue;
        batch.windows.push_back(calls[call]->work()->requests[window]);
        batch.owners.push_back({static_cast<int>(call), static_cast<int>(window)});
      }
    }
    return RunBatch(embedder_.get(), &batch, &call_status_);
  }

  void FailWindow(const TestCall& call, size_t window, const absl::Status& status) {
    failures_[call.work()->requests[window].row] = status;
  }

  FakeBackend backend_;
  std::unique_ptr<Embedder> embedder_;
  std::map<const float*, absl::Status> failures_;
  int largest_ = 1000;
  std::vector<int> embedded_;  // Windows of each Embed.
  std::vector<absl::Status> call_status_;
};

TEST_F(RunBatchTest, AGoodBatchRunsInOneGo) {
  TestCall a(0, 3, 2, 1), b(0, 2, 5, 2);
  ASSERT_TRUE(Run({&a, &b}).ok());
  EXPECT_THAT(call_status_, ElementsAre(absl::OkStatus(), absl::OkStatus()));
  EXPECT_THAT(embedded_, ElementsAre(5));
  EXPECT_TRUE(a.RowsAreRight());
  EXPECT_TRUE(b.RowsAreRight());
}

TEST_F(RunBatchTest, AWindowThatFailsFailsItsCallAlone) {
  TestCall a(0, 2, 2, 1), b(0, 2, 2, 2), c(0, 2, 2, 3), d(0, 2, 2, 4);
  FailWindow(b, 0, absl::InternalError("bad window"));
  ASSERT_TRUE(Run({&a, &b, &c, &d}).ok());
  EXPECT_THAT(call_status_,
              ElementsAre(absl::OkStatus(), absl::InternalError("bad window"), absl::OkStatus(), absl::OkStatus()));
  EXPECT_TRUE(a.RowsAreRight() && c.RowsAreRight() && d.RowsAreRight());
  // A0 B0 C0 D0 A1 B1 C1 D1; its first half; A0 B0; A0; B0; C0 D0; the second half without B1.
  EXPECT_THAT(embedded_, ElementsAre(8, 4, 2, 1, 1, 2, 3));
}

TEST_F(RunBatchTest, EveryOffenderIsFound) {
  std::vector<std::unique_ptr<TestCall>> calls;
  std::vector<TestCall*> pointers;
  for (int i = 0; i < 33; ++i) {
    calls.push_back(std::make_unique<TestCall>(0, 2, 1, static_cast<float>(i)));
    pointers.push_back(calls.back().get());
    if (i % 4 == 1) FailWindow(*calls.back(), static_cast<size_t>(i / 4 % 2), absl::InternalError(std::to_string(i)));
  }
  ASSERT_TRUE(Run(pointers).ok());
  for (int i = 0; i < 33; ++i) {
    const absl::Status& status = call_status_[static_cast<size_t>(i)];
    if (i % 4 == 1) {
      EXPECT_EQ(status, absl::InternalError(std::to_string(i)));
    } else {
      EXPECT_TRUE(status.ok()) << i << ": " << status;
      EXPECT_TRUE(calls[static_cast<size_t>(i)]->RowsAreRight()) << i;
    }
  }
}

TEST_F(RunBatchTest, ABatchTooLargeForTheDeviceRunsInParts) {
  largest_ = 3;
  TestCall a(0, 10, 2);
  ASSERT_TRUE(Run({&a}).ok());
  EXPECT_THAT(call_status_, ElementsAre(absl::OkStatus()));
  EXPECT_TRUE(a.RowsAreRight());
  EXPECT_THAT(embedded_, ElementsAre(10, 5, 2, 3, 5, 2, 3));
}

TEST_F(RunBatchTest, ACallThatIsTooLargeByItselfFailsWithWhatTheDeviceSaid) {
  largest_ = 0;
  TestCall a(0, 1, 2), b(0, 50, 2);
  ASSERT_TRUE(Run({&a, &b}).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(call_status_[0]));
  EXPECT_TRUE(absl::IsResourceExhausted(call_status_[1]));
  EXPECT_LT(embedded_.size(), 20u);  // b's first window condemns the others.
}

TEST_F(RunBatchTest, ALostDeviceStopsIt) {
  TestCall a(0, 8, 2);
  FailWindow(a, 0, absl::UnavailableError("gone"));
  EXPECT_EQ(Run({&a}), absl::UnavailableError("gone"));
  EXPECT_THAT(embedded_, ElementsAre(8));
}

TEST_F(RunBatchTest, ADeviceLostWhileHalvingStopsIt) {
  TestCall a(0, 2, 2), b(0, 2, 2);
  FailWindow(a, 0, absl::InternalError("bad"));
  FailWindow(b, 1, absl::UnavailableError("gone"));
  EXPECT_EQ(Run({&a, &b}), absl::UnavailableError("gone"));
}

TEST_F(RunBatchTest, WhatTheEmbedderThrowsIsAFailureOfTheWindowThatStandsAlone) {
  TestCall good(0, 2, 10, 1), bad(0, 2, 10, 2), hungry(0, 1, 10, 3);
  const float* const offender = bad.work()->requests[1].row;
  const float* const glutton = hungry.work()->requests[0].row;
  FakeBackend throwing;
  throwing.AddNetwork(nullptr, {}).IgnoreError();
  throwing.set_before_embed([&](int, absl::Span<const WindowRequest> batch) -> absl::Status {
    for (const WindowRequest& request : batch) {
      if (request.row == offender) throw std::runtime_error("thrown");
      if (request.row == glutton) throw std::bad_alloc();
    }
    return absl::OkStatus();
  });
  embedder_ = *throwing.NewEmbedder();
  EXPECT_TRUE(Run({&good, &bad, &hungry}).ok());
  EXPECT_TRUE(call_status_[0].ok());
  EXPECT_TRUE(absl::IsInternal(call_status_[1])) << call_status_[1];
  EXPECT_TRUE(absl::IsResourceExhausted(call_status_[2])) << call_status_[2];
  EXPECT_TRUE(good.RowsAreRight());
}

}  // namespace
}  // namespace hearwire
