#include "tests/server/batching/test_call.h"

#include <numeric>
#include <utility>

#include "server/concurrency/steady_time.h"
#include "tests/fixtures/fake_embedder.h"

namespace hearwire {

TestCall::TestCall(int network, const std::vector<int>& window_frames, float seed) {
  frames_.resize(static_cast<size_t>(std::accumulate(window_frames.begin(), window_frames.end(), 0)));
  for (size_t i = 0; i < frames_.size(); ++i) frames_[i] = seed + static_cast<float>(i % 1009) / 16;
  rows_.assign(window_frames.size() * kFakeRowSize, -1);
  work_->network = network;
  const float* next = frames_.data();
  for (size_t i = 0; i < window_frames.size(); ++i) {
    WindowRequest request;
    request.window.mels = 1;
    request.window.runs[1] = {next, window_frames[i]};
    request.readouts = {&readout_, 1};
    request.row = &rows_[i * kFakeRowSize];
    work_->requests.push_back(request);
    next += window_frames[i];
  }
  work_->done = [this](absl::Status status, const BatchTimes& times) {
    MutexLock lock(&mu_);
    ++done_count_;
    status_ = std::move(status);
    times_ = times;
    changed_.SignalAll();
  };
}

TestCall::TestCall(int network, int windows, int frames, float seed)
    : TestCall(network, std::vector<int>(static_cast<size_t>(windows), frames), seed) {}

absl::Status TestCall::Wait() {
  MutexLock lock(&mu_);
  while (done_count_ == 0) changed_.WaitUntil(&mu_, SteadyTime::InfiniteFuture());
  return status_;
}

int TestCall::done_count() {
  MutexLock lock(&mu_);
  return done_count_;
}

BatchTimes TestCall::times() {
  MutexLock lock(&mu_);
  return times_;
}

bool TestCall::RowsAreRight() const {
  for (const WindowRequest& request : work_->requests) {
    float expected[kFakeRowSize];
    FakeRow(work_->network, request.window, readout_, expected);
    for (int i = 0; i < kFakeRowSize; ++i) {
      if (request.row[i] != expected[i]) return false;
    }
  }
  return true;
}

}  // namespace hearwire
