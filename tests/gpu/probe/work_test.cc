#include "tests/gpu/probe/work.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/gpu/probe/setting.h"

namespace hearwire {
namespace {

using ::testing::HasSubstr;

// From some call on answers each batch with the rows of the one before, in the order of the requests: what a recorded
// graph does that reads old windows.
class StaleEmbedder : public Embedder {
 public:
  // fresh_calls: so many are answered as they must be.
  StaleEmbedder(Embedder& embedder, size_t row_size, int fresh_calls)
      : embedder_(embedder), row_size_(row_size), fresh_calls_(fresh_calls) {}

  absl::Status Embed(int network, absl::Span<const WindowRequest> batch) override {
    if (fresh_calls_-- > 0) {
      if (absl::Status status = embedder_.Embed(network, batch); !status.ok()) return status;
      kept_.clear();
      for (const WindowRequest& request : batch) kept_.insert(kept_.end(), request.row, request.row + row_size_);
      return absl::OkStatus();
    }
    for (size_t i = 0; i < batch.size(); ++i) {
      std::copy_n(kept_.begin() + static_cast<ptrdiff_t>(i * row_size_), row_size_, batch[i].row);
    }
    return absl::OkStatus();
  }

 private:
  Embedder& embedder_;
  const size_t row_size_;
  int fresh_calls_;
  std::vector<float> kept_;
};

// Of several windows each, as the kit runs them.
class CheckReversedTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    Setting setting;
    setting.device = "native";
    loaded_ = LoadRandomNetwork(setting, 0.1);
    ASSERT_TRUE(loaded_.ok()) << loaded_.status();
    embedder_ = loaded_->backend->NewEmbedder();
    ASSERT_TRUE(embedder_.ok()) << embedder_.status();
    work_ = MakeWork(*loaded_->weights, *ParseAmount(GetParam()));
    ASSERT_TRUE(work_.ok()) << work_.status();
  }

  absl::Status Check(int fresh_calls, double tolerance) {
    StaleEmbedder embedder(**embedder_, work_->rows.size() / work_->requests.size(), fresh_calls);
    if (absl::Status status = embedder.Embed(0, work_->requests); !status.ok()) return status;
    const std::vector<float> rows = work_->rows;
    return CheckReversed(embedder, *work_, rows, tolerance);
  }

  absl::StatusOr<LoadedNetwork> loaded_;
  absl::StatusOr<std::unique_ptr<Embedder>> embedder_;
  absl::StatusOr<Work> work_;
};

TEST_P(CheckReversedTest, PassesWhatAnswersEachWindow) { EXPECT_TRUE(Check(2, 1e-4).ok()); }

// Also by the tolerance of float16.
TEST_P(CheckReversedTest, SeesRowsOfAnEarlierBatch) {
  for (const double tolerance : {1e-4, 1e-2}) {
    const absl::Status status = Check(1, tolerance);
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(status.message(), HasSubstr("rows of a later call"));
  }
}

INSTANTIATE_TEST_SUITE_P(Amounts, CheckReversedTest, testing::Values("windows:256", "timestamps:2", "scene10:4"),
                         [](const auto& info) { return std::string(info.param).substr(0, 5); });

}  // namespace
}  // namespace hearwire
