#include "load/server_metrics.h"

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

TEST(MetricsPageTest, HostsOfNoProxyAreAskedDirectly) {
  setenv("http_proxy", "http://[", 1);  // No proxy can be there.
  const auto ask = [](const char* variable, const char* hosts) {
    setenv(variable, hosts, 1);
    const std::string message(FetchMetrics("127.0.0.2:1").status().message());
    unsetenv(variable);
    return message;
  };
  EXPECT_THAT(ask("no_proxy", "other.example"), testing::HasSubstr("proxy"));
  EXPECT_THAT(ask("no_proxy", "other.example,127.0.0.2"), testing::Not(testing::HasSubstr("proxy")));
  EXPECT_THAT(ask("no_proxy", "*"), testing::Not(testing::HasSubstr("proxy")));
  EXPECT_THAT(ask("NO_PROXY", "127.0.0.2"), testing::Not(testing::HasSubstr("proxy")));
  unsetenv("http_proxy");
}

}  // namespace
}  // namespace hearwire::load
