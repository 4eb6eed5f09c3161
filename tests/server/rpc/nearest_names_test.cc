#include "server/rpc/nearest_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace hearwire {
namespace {

using ::testing::ElementsAre;

TEST(NearestNamesTest, ListsTheFewestEditsFirst) {
  const std::vector<std::string_view> names = {"mn04_all_b", "mn10_all_b", "mn10_clf1", "mn10_all_se"};
  EXPECT_THAT(NearestNames("mn10_all_bb", names, 2), ElementsAre("mn10_all_b", "mn10_all_se"));
  EXPECT_THAT(NearestNames("clf1", names, 1), ElementsAre("mn10_clf1"));
  EXPECT_EQ(NearestNames("x", names, 9).size(), 4u);
}

TEST(NearestNamesTest, TakesANameOfAnyLength) {
  const std::vector<std::string_view> names = {"a", "b"};
  EXPECT_THAT(NearestNames(std::string(100'000'000, 'b'), names, 1), ElementsAre("b"));
}

TEST(QuotedTest, CutsLongTextAndShowsOnlyAscii) {
  EXPECT_EQ(Quoted("mn10"), "\"mn10\"");
  EXPECT_EQ(Quoted("a\nb\x80"), "\"a?b?\"");
  EXPECT_EQ(Quoted(std::string(1000, 'x')), "\"" + std::string(64, 'x') + "\"…");
}

}  // namespace
}  // namespace hearwire
