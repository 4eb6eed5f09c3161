#include "server/names/nearest_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(NearestNamesTest, ListsTheFewestEditsFirst) {
  const std::vector<std::string_view> names = {"mn04_all_b", "mn10_all_b", "mn10_clf1", "mn10_all_se"};
  EXPECT_THAT(NearestNames("mn10_all_bb", names, 2), ElementsAre("mn10_all_b", "mn10_all_se"));
  EXPECT_THAT(NearestNames("clf1", names, 1), ElementsAre("mn10_clf1"));
  EXPECT_THAT(NearestNames("mn04_all_b", names, 9), ElementsAre("mn04_all_b", "mn10_all_b"));
}

TEST(NearestNamesTest, ListsNoneWhenNoneIsNear) {
  const std::vector<std::string_view> names = {"mn04_all_b", "mn10_all_b", "mn10_clf1", "mn10_all_se"};
  EXPECT_THAT(NearestNames("x", names, 9), IsEmpty());
  EXPECT_THAT(NearestNames("openl3_music", names, 9), IsEmpty());
  EXPECT_THAT(NearestNames("", names, 9), IsEmpty());
}

TEST(NearestNamesTest, TakesANameOfAnyLength) {
  const std::string long_name(60, 'b');
  const std::vector<std::string_view> names = {"a", long_name};
  EXPECT_THAT(NearestNames(std::string(100'000'000, 'b'), names, 1), ElementsAre(long_name));
}

TEST(QuotedTest, CutsLongTextAndShowsOnlyAscii) {
  EXPECT_EQ(Quoted("mn10"), "\"mn10\"");
  EXPECT_EQ(Quoted("a\nb\x80"), "\"a?b?\"");
  EXPECT_EQ(Quoted(std::string(1000, 'x')), "\"" + std::string(64, 'x') + "\"…");
}

}  // namespace
}  // namespace hearwire
