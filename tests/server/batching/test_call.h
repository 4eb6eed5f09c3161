// A call with its own frames and rows, whose outcome a test can wait for.

#ifndef HEARWIRE_TESTS_SERVER_BATCHING_TEST_CALL_H_
#define HEARWIRE_TESTS_SERVER_BATCHING_TEST_CALL_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/batching/call_work.h"
#include "server/concurrency/mutex.h"

namespace hearwire {

// Frames of one band; the values differ from call to call (by `seed`) and from frame to frame. It must outlive the
// call.
class TestCall {
 public:
  // One window per entry, of that many frames, one after the other.
  TestCall(int network, const std::vector<int>& window_frames, float seed = 1);
  // `windows` windows of `frames` frames.
  TestCall(int network, int windows, int frames, float seed = 1);
  TestCall(const TestCall&) = delete;

  const std::shared_ptr<CallWork>& work() const { return work_; }

  // Waits until `done` has been called; its status.
  absl::Status Wait();
  int done_count();
  BatchTimes times();

  // Whether every row is what FakeEmbedder makes of its window.
  bool RowsAreRight() const;

 private:
  const Readout readout_;
  std::vector<float> frames_;
  std::vector<float> rows_;
  std::shared_ptr<CallWork> work_ = std::make_shared<CallWork>();

  Mutex mu_;
  CondVar changed_;
  int done_count_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
  BatchTimes times_ ABSL_GUARDED_BY(mu_);
};

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_SERVER_BATCHING_TEST_CALL_H_
