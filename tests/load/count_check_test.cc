#include "load/count_check.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hearwire::load {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

MetricsPage Page(int ok, int refused) {
  return ParseMetrics(
      absl::StrCat("hearwire_requests_total{method=\"GetTags\",config=\"n\",code=\"OK\"} ", ok,
                   "\nhearwire_requests_total{method=\"GetTags\",config=\"n\",code=\"RESOURCE_EXHAUSTED\"} ", refused,
                   "\nhearwire_requests_total{method=\"GetTags\",config=\"other\",code=\"OK\"} ", 7 * ok, "\n"));
}

Totals Sent(int64_t ok, int64_t refused, int64_t unknown) {
  Totals totals;
  CallCounts& counts = totals.by_label[{"GetTags", "n"}];
  counts.sent = totals.sent = ok + refused + unknown;
  if (ok > 0) counts.answered[absl::StatusCode::kOk] = ok;
  if (refused > 0) counts.answered[absl::StatusCode::kResourceExhausted] = refused;
  counts.unknown = totals.failed_locally = unknown;
  totals.answered = ok + refused;
  return totals;
}

TEST(CountCheckTest, EqualCountsOfEveryCodeAgree) {
  const CountCheck check = CheckCounts(Sent(10, 3, 0), Page(5, 1), Page(15, 4));
  EXPECT_TRUE(check.exact);
  EXPECT_TRUE(check.agrees());
  EXPECT_EQ(check.server_counted, 13);
}

TEST(CountCheckTest, AnotherCountOfOneCodeDiffersThoughTheSumAgrees) {
  const CountCheck check = CheckCounts(Sent(10, 3, 0), Page(5, 1), Page(16, 3));
  ASSERT_EQ(check.differences.size(), 2u);
  EXPECT_THAT(check.differences[0], HasSubstr("OK: 10 answers, but the server counted 11"));
  EXPECT_THAT(check.differences[1], HasSubstr("RESOURCE_EXHAUSTED: 3 answers, but the server counted 2"));
}

TEST(CountCheckTest, CallsOfUnknownFateMayBeCountedOrNot) {
  for (const int counted : {10, 11, 12}) {
    const CountCheck check = CheckCounts(Sent(10, 0, 2), Page(0, 0), Page(counted, 0));
    EXPECT_FALSE(check.exact);
    EXPECT_TRUE(check.agrees()) << counted;
  }
  EXPECT_FALSE(CheckCounts(Sent(10, 0, 2), Page(0, 0), Page(13, 0)).agrees());
  EXPECT_FALSE(CheckCounts(Sent(10, 0, 2), Page(0, 0), Page(9, 0)).agrees());
  // Each code is within its bounds, but not their sum.
  EXPECT_FALSE(CheckCounts(Sent(10, 0, 2), Page(0, 0), Page(12, 1)).agrees());
}

TEST(CountCheckTest, CallsThatGrpcRefusedAreNotCountedByTheServer) {
  Totals totals = Sent(10, 0, 0);
  totals.by_label[{"GetTags", "n"}].not_taken = 4;
  totals.sent += 4;
  totals.failed_locally += 4;
  const CountCheck check = CheckCounts(totals, Page(0, 0), Page(10, 0));
  EXPECT_TRUE(check.exact);
  EXPECT_TRUE(check.agrees());
  EXPECT_EQ(check.not_compared, 4);
}

TEST(CountCheckTest, ARestartedServerConfirmsNothing) {
  const auto at = [](MetricsPage page, double start) {
    page["process_start_time_seconds"].push_back({{}, start});
    return page;
  };
  const CountCheck check = CheckCounts(Sent(10, 0, 2), at(Page(0, 0), 1.7e9), at(Page(10, 0), 1.7e9 + 0.01));
  EXPECT_THAT(check.differences, ElementsAre(HasSubstr("the server was restarted")));
  EXPECT_FALSE(check.exact);
  EXPECT_TRUE(CheckCounts(Sent(10, 0, 2), at(Page(0, 0), 1.7e9), at(Page(10, 0), 1.7e9)).agrees());
  EXPECT_TRUE(CheckCounts(Sent(10, 0, 2), Page(0, 0), at(Page(10, 0), 1.7e9)).agrees());
}

TEST(CountCheckTest, ALostCallDiffers) {
  Totals totals = Sent(10, 0, 0);
  ++totals.sent;
  EXPECT_THAT(CheckCounts(totals, Page(0, 0), Page(10, 0)).differences,
              ElementsAre(HasSubstr("11 calls were sent, but 10 answered and 0 failed")));
}

}  // namespace
}  // namespace hearwire::load
