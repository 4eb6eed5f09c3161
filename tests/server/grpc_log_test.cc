#include "server/grpc_log.h"

#include <gtest/gtest.h>

#include <string>

namespace hearwire {
namespace {

SteadyTime At(int seconds) { return SteadyTime() + absl::Seconds(seconds); }

TEST(GrpcLogTest, CutsWhatIsLongOrSecret) {
  EXPECT_EQ(ToLoggedText("accept4: too many open files"), "accept4: too many open files");
  EXPECT_EQ(ToLoggedText("header Authorization: Bearer abc"), "header …");
  EXPECT_EQ(ToLoggedText("value 'BEARER abc'"), "value '…");
  EXPECT_EQ(ToLoggedText("-----BEGIN PRIVATE KEY-----"), "…");
  EXPECT_EQ(ToLoggedText("my-token: abc"), "my-…");
  EXPECT_EQ(ToLoggedText("READ DATA: 50 52 49"), "READ…");
  EXPECT_EQ(ToLoggedText(std::string(1000, 'x')), std::string(300, 'x') + "…");
}

TEST(LogBudgetTest, LetsSoManyMessagesThroughInAPeriodAndCountsTheRest) {
  LogBudget budget;
  for (int i = 0; i < LogBudget::kMessages; ++i) EXPECT_TRUE(budget.Take(At(i)));
  EXPECT_FALSE(budget.Take(At(50)));
  EXPECT_FALSE(budget.Take(At(59)));
  EXPECT_TRUE(budget.Take(At(60)));
  EXPECT_EQ(budget.TakeLeftOut(), 2);
  EXPECT_EQ(budget.TakeLeftOut(), 0);
}

}  // namespace
}  // namespace hearwire
