#include "load/recorder.h"

#include "gtest/gtest.h"

namespace hearwire::load {
namespace {

constexpr absl::Duration kMs = absl::Milliseconds(1);

class RecorderTest : public testing::Test {
 protected:
  RecorderTest() {
    call_.method = "GetTags";
    call_.config = "n";
    call_.bytes = 100;
    call_.audio_seconds = 2;
  }

  void Call(absl::Duration due, absl::Duration ended, const Outcome& outcome, bool chosen_to_cancel = false) {
    recorder_.OnSent(call_, due, kMs);
    recorder_.OnEnded({&call_, due, ended, chosen_to_cancel}, outcome);
  }

  PreparedCall call_;
  Recorder recorder_{1000 * kMs, 5000 * kMs};
  const Outcome ok_{.reply_bytes = 10};
  const Outcome expired_{.code = absl::StatusCode::kDeadlineExceeded, .message = "late", .answered = false};
};

TEST_F(RecorderTest, MeasuresWhatIsDueAfterTheWarmUp) {
  Call(999 * kMs, 1500 * kMs, ok_);
  Call(1000 * kMs, 1200 * kMs, ok_);
  Call(4999 * kMs, 5299 * kMs, ok_);
  const Measurement measurement = recorder_.Finish();
  EXPECT_EQ(measurement.totals.sent, 3);
  EXPECT_EQ(measurement.calls, 2);
  EXPECT_EQ(measurement.succeeded, 2);
  EXPECT_EQ(measurement.latency.max(), 300 * kMs);
  EXPECT_EQ(measurement.bytes_sent, 200);
  EXPECT_EQ(measurement.bytes_received, 20);
  EXPECT_EQ(measurement.measured, 4000 * kMs);
  // Throughput is what ended within the measured time.
  EXPECT_EQ(measurement.completed, 2);
  EXPECT_EQ(measurement.completed_audio_seconds, 4);
}

TEST_F(RecorderTest, FailuresCountInThePercentilesWithTheTimeTheyTook) {
  Call(2000 * kMs, 2001 * kMs, ok_);
  Call(2000 * kMs, 32000 * kMs, expired_);
  recorder_.OnExpiredUnsent({&call_, 2500 * kMs, 32500 * kMs});
  const Measurement measurement = recorder_.Finish();
  EXPECT_EQ(measurement.calls, 3);
  EXPECT_EQ(measurement.latency.count(), 3);
  EXPECT_EQ(measurement.latency.max(), 30000 * kMs);
  EXPECT_EQ(measurement.succeeded_latency.count(), 1);
  EXPECT_EQ(measurement.failed.at(absl::StatusCode::kDeadlineExceeded), 2);
  EXPECT_EQ(measurement.messages.at(absl::StatusCode::kDeadlineExceeded), "late");
  EXPECT_EQ(measurement.totals.sent, 2);
  EXPECT_EQ(measurement.totals.answered, 1);
  EXPECT_EQ(measurement.totals.failed_locally, 1);
  EXPECT_EQ(measurement.totals.by_label.at({"GetTags", "n"}).unknown, 1);
}

TEST_F(RecorderTest, CallsChosenToBeCancelledAreInNoPercentile) {
  Call(2000 * kMs, 2001 * kMs, ok_, /*chosen_to_cancel=*/true);
  Call(2000 * kMs, 2050 * kMs, {.code = absl::StatusCode::kCancelled, .message = "", .answered = false}, true);
  Call(2000 * kMs, 2003 * kMs, ok_);
  const Measurement measurement = recorder_.Finish();
  EXPECT_EQ(measurement.calls, 3);
  EXPECT_EQ(measurement.chosen_to_cancel, 2);
  EXPECT_EQ(measurement.latency.count(), 1);
  EXPECT_TRUE(measurement.failed.empty());
}

TEST_F(RecorderTest, IntervalsCountCallsWhereTheyWereDue) {
  Call(1000 * kMs, 1900 * kMs, ok_);
  Call(1600 * kMs, 1700 * kMs, ok_);
  const Measurement measurement = recorder_.Finish();
  ASSERT_EQ(measurement.interval, 100 * kMs);
  EXPECT_EQ(measurement.intervals.at(0).due, 1);
  EXPECT_EQ(measurement.intervals.at(0).completed, 0);
  EXPECT_EQ(measurement.intervals.at(0).latency.max(), 900 * kMs);
  EXPECT_EQ(measurement.intervals.at(6).due, 1);
  EXPECT_EQ(measurement.intervals.at(7).completed, 1);
  EXPECT_EQ(measurement.intervals.at(9).completed, 1);
}

TEST_F(RecorderTest, ARunThatEndsEarlyIsMeasuredUntilThen) {
  Call(1500 * kMs, 1600 * kMs, ok_);
  recorder_.EndEarly(2000 * kMs);
  EXPECT_EQ(recorder_.Finish().measured, 1000 * kMs);
}

}  // namespace
}  // namespace hearwire::load
