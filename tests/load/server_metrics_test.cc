#include "tests/load/server_metrics.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hearwire::load {
namespace {

constexpr char kPage[] =
    "# HELP requests Calls.\n# TYPE requests counter\n"
    "requests{method=\"A\",config=\"x\",code=\"OK\"} 3\n"
    "requests{method=\"B\",config=\"a\\\"b,c}\",code=\"OK\"} 4 1700000000\n"
    "plain 1.5e3\n"
    "broken{a=\"b\n"
    "\n"
    "last +Inf";

TEST(MetricsPageTest, HoldsEverySampleWithItsLabels) {
  const MetricsPage page = ParseMetrics(kPage);
  EXPECT_EQ(page.size(), 3u);
  EXPECT_EQ(SumOf(page, "requests"), 7);
  EXPECT_EQ(SumOf(page, "requests", {{"method", "A"}}), 3);
  EXPECT_EQ(SumOf(page, "requests", {{"config", "a\"b,c}"}}), 4);
  EXPECT_EQ(SumOf(page, "requests", {{"config", "y"}}), 0);
  EXPECT_EQ(SumOf(page, "plain"), 1500);
  EXPECT_EQ(SumOf(page, "absent"), 0);
}

TEST(MetricsPageTest, NobodyThereIsUnavailable) {
  const auto page = FetchMetrics("127.0.0.1:1");
  ASSERT_EQ(page.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(page.status().message()), testing::HasSubstr("no metrics at 127.0.0.1:1/metrics"));
}

}  // namespace
}  // namespace hearwire::load
