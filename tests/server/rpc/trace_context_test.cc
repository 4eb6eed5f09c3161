#include "server/rpc/trace_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace hearwire {
namespace {

using ::testing::MatchesRegex;

constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kSpan[] = "00f067aa0ba902b7";

std::string Parent(const std::string& version = "00", const std::string& rest = "") {
  return version + "-" + kTrace + "-" + kSpan + "-01" + rest;
}

TEST(TraceContextTest, TakesACallersPlaceInItsTraceAndMakesOneOfItsOwn) {
  const auto context = NewTraceContext(Parent());
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_id, kTrace);
  EXPECT_EQ(context->parent_span_id, kSpan);
  EXPECT_EQ(context->flags, "01");
  EXPECT_THAT(context->span_id, MatchesRegex("[0-9a-f]{16}"));
  EXPECT_NE(context->span_id, kSpan);
  EXPECT_NE(context->span_id, NewTraceContext(Parent())->span_id);
  EXPECT_EQ(context->Traceparent(), "00-" + std::string(kTrace) + "-" + context->span_id + "-01");
}

TEST(TraceContextTest, ReadsVersionsOfTheFuture) {
  EXPECT_TRUE(NewTraceContext(Parent("cc")));
  EXPECT_TRUE(NewTraceContext(Parent("cc", "-what-comes")));
  EXPECT_FALSE(NewTraceContext(Parent("cc", "what-comes")));
  EXPECT_FALSE(NewTraceContext(Parent("ff")));
  EXPECT_FALSE(NewTraceContext(Parent("00", "-more")));
}

TEST(TraceContextTest, PassesOverWhatIsNone) {
  const std::string zeros(32, '0');
  for (const std::string& wrong :
       {std::string(), std::string("00"), std::string(55, '-'), std::string(55, '0'), Parent().substr(1),
        "00-" + zeros + "-" + kSpan + "-01", "00-" + std::string(kTrace) + "-" + zeros.substr(16) + "-01",
        std::string("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
        std::string("00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01"),
        std::string("00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        std::string("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\n")}) {
    EXPECT_FALSE(NewTraceContext(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace hearwire
