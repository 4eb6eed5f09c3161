// Streams through a pipeline over a fake backend, and what they give.

#ifndef HEARWIRE_TESTS_SERVER_PIPELINE_STREAM_HARNESS_H_
#define HEARWIRE_TESTS_SERVER_PIPELINE_STREAM_HARNESS_H_

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/concurrency/mutex.h"
#include "tests/server/pipeline/pipeline_harness.h"

namespace hearwire {

struct StreamEnd {
  std::optional<CallError> error;
  CallReport report;
};

// Keeps what a stream gives.
class KeepingSink final : public StreamSink {
 public:
  std::optional<CallError> OnRows(const WindowRows& rows) override {
    MutexLock lock(&mu_);
    Lane& lane = lanes_[rows.lane];
    if (!rows.rows.empty()) lane.first_windows.push_back(rows.first_window);
    lane.rows.insert(lane.rows.end(), rows.rows.begin(), rows.rows.end());
    EXPECT_FALSE(lane.has_ended);
    lane.has_ended = rows.last;
    changed_.SignalAll();
    return std::nullopt;
  }
  void OnEnd(const CallError* error, const CallReport& report, Held held) override {
    held.reset();
    MutexLock lock(&mu_);
    ASSERT_FALSE(end_) << "ended twice";
    end_ = StreamEnd{error == nullptr ? std::nullopt : std::optional(*error), report};
    changed_.SignalAll();
  }
  void OnPieceTaken() override {
    MutexLock lock(&mu_);
    ++taken_;
    changed_.SignalAll();
  }
  bool IsFull() const override { return is_full_.load(); }
  void set_is_full(bool full) { is_full_.store(full); }

  template <typename Condition>
  void WaitUntil(Condition condition) {
    const SteadyTime end = SteadyTime::Now() + absl::Seconds(20);
    MutexLock lock(&mu_);
    while (!condition()) {
      ASSERT_LT(SteadyTime::Now(), end) << "it did not come";
      changed_.WaitUntil(&mu_, end);
    }
  }
  void WaitForPiecesTaken(int count) {
    WaitUntil([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return taken_ >= count || end_; });
  }
  void WaitForValues(int lane, size_t count) {
    WaitUntil([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return lanes_[lane].rows.size() >= count; });
  }
  StreamEnd End() {
    WaitUntil([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return end_.has_value(); });
    MutexLock lock(&mu_);
    return *end_;
  }
  std::vector<float> rows(int lane) {
    MutexLock lock(&mu_);
    return lanes_[lane].rows;
  }
  std::vector<int64_t> first_windows(int lane) {
    MutexLock lock(&mu_);
    return lanes_[lane].first_windows;
  }
  bool has_ended(int lane) {
    MutexLock lock(&mu_);
    return lanes_[lane].has_ended;
  }
  int taken() {
    MutexLock lock(&mu_);
    return taken_;
  }

 private:
  struct Lane {
    std::vector<float> rows;
    std::vector<int64_t> first_windows;  // Of each piece that came.
    bool has_ended = false;
  };

  std::atomic<bool> is_full_ = false;
  Mutex mu_;
  CondVar changed_;
  std::map<int, Lane> lanes_ ABSL_GUARDED_BY(mu_);
  std::optional<StreamEnd> end_ ABSL_GUARDED_BY(mu_);
  int taken_ ABSL_GUARDED_BY(mu_) = 0;
};

inline std::string Bytes(const std::vector<float>& samples) {
  return std::string(reinterpret_cast<const char*>(samples.data()), samples.size() * sizeof(float));
}

// A tone that rises, so that no two windows are alike.
inline std::vector<float> Sweep(double seconds) {
  std::vector<float> samples(static_cast<size_t>(seconds * kSampleRateHz));
  for (size_t i = 0; i < samples.size(); ++i) {
    const double t = static_cast<double>(i) / kSampleRateHz;
    samples[i] = static_cast<float>(0.3 * std::sin(2 * M_PI * (100 * t + 20 * t * t)));
  }
  return samples;
}

class StreamTest : public testing::Test {
 protected:
  // Timestamps, then scenes.
  StreamRequest Request(int64_t first_sample = 0) {
    StreamRequest request;
    request.call.lanes = {harness_.Request({}, LaneKind::kTimestamps).lanes[0], harness_.Request({}).lanes[0]};
    request.format = {.sample_rate_hz = kSampleRateHz};
    request.first_sample = first_sample;
    request.sink = sink_;
    return request;
  }
  void Start(StreamRequest request) { stream_ = harness_.pipeline->StartStream(std::move(request)); }
  void NewSink() { sink_ = std::make_shared<KeepingSink>(); }

  // Gives all, in pieces of at most so many bytes, and waits for each.
  void Give(std::string_view bytes, size_t most = 1 << 20) {
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, most);
      bytes.remove_prefix(piece.size());
      stream_->AppendPiece(std::string(piece));
      sink_->WaitForPiecesTaken(++pieces_);
    }
  }

  // What the unary call answers: timestamps.
  std::vector<float> Timestamps(const std::vector<float>& clip) {
    return harness_.Run(harness_.Request({clip}, LaneKind::kTimestamps)).result().rows;
  }
  std::vector<float> Scene(const std::vector<float>& clip) {
    return harness_.Run(harness_.Request({clip})).result().rows;
  }
  std::vector<float> MeanOfScenes() {
    SceneMean mean;
    mean.Add(sink_->rows(1), harness_.config.embedding_size());
    const absl::Span<const float> row = mean.Mean();
    return {row.begin(), row.end()};
  }

  PipelineHarness harness_;
  std::shared_ptr<KeepingSink> sink_ = std::make_shared<KeepingSink>();
  std::shared_ptr<StreamCall> stream_;
  int pieces_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_SERVER_PIPELINE_STREAM_HARNESS_H_
