#include "load/plot.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hearwire::load {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(PlotTest, TicksAreRoundNumbers) {
  EXPECT_THAT(Ticks(0, 10, 5, false), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(Ticks(0, 0.33, 5, false),
              ElementsAre(0, DoubleNear(0.1, 1e-9), DoubleNear(0.2, 1e-9), DoubleNear(0.3, 1e-9)));
  EXPECT_THAT(Ticks(3, 300, 5, true), ElementsAre(5, 10, 20, 50, 100, 200));
  EXPECT_THAT(Ticks(1, 1e6, 5, true), ElementsAre(1, 10, 100, 1000, 10000, 100000, 1000000));
}

TEST(PlotTest, NumbersHaveAsManyDigitsAsTellSomething) {
  EXPECT_EQ(NumberText(0), "0");
  EXPECT_EQ(NumberText(0.12345), "0.123");
  EXPECT_EQ(NumberText(12.345), "12.3");
  EXPECT_EQ(NumberText(123.45), "123");
  EXPECT_EQ(NumberText(1234567), "1,234,567");
  EXPECT_EQ(NumberText(-1234), "-1,234");
}

TEST(PlotTest, DrawsEachLineAndItsName) {
  const std::string svg = RenderPlot({.title = "A & B",
                                      .x_name = "seconds",
                                      .y_name = "ms",
                                      .lines = {{.name = "p50", .points = {{0, 1}, {1, 2}}},
                                                {.name = "<p99>", .points = {{0, 5}, {1, 7, true}}, .colour = 1}}});
  EXPECT_THAT(svg, HasSubstr("<h2>A &amp; B</h2>"));
  EXPECT_THAT(svg, HasSubstr("&lt;p99&gt;: 7 at 1 (not passed)"));
  EXPECT_THAT(svg, HasSubstr("class=\"line-1\""));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(PlotTest, LeavesOutWhatALogarithmCannotShow) {
  const std::string svg = RenderPlot(
      {.title = "", .x_name = "", .y_name = "", .log_y = true, .lines = {{.name = "a", .points = {{0, 0}, {1, 2}}}}});
  EXPECT_THAT(svg, HasSubstr("a: 2 at 1"));
  EXPECT_THAT(svg, Not(HasSubstr("a: 0 at 0")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(PlotTest, SaysSoWhenThereIsNothingToShow) {
  EXPECT_THAT(RenderPlot({.title = "T", .x_name = "", .y_name = "", .lines = {}}), HasSubstr("Nothing was measured"));
}

}  // namespace
}  // namespace hearwire::load
