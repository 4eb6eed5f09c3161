#include "server/rpc/request_id.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace hearwire {
namespace {

TEST(RequestIdTest, TakesLettersDigitsAndAFewMarks) {
  EXPECT_TRUE(IsSaneRequestId("a"));
  EXPECT_TRUE(IsSaneRequestId("5f3c-AB_12.x:y/z+w="));
  EXPECT_TRUE(IsSaneRequestId(std::string(128, 'a')));
}

TEST(RequestIdTest, RefusesWhatWouldBreakALogLine) {
  EXPECT_FALSE(IsSaneRequestId(""));
  EXPECT_FALSE(IsSaneRequestId(std::string(129, 'a')));
  EXPECT_FALSE(IsSaneRequestId("a b"));
  EXPECT_FALSE(IsSaneRequestId("a\nb"));
  EXPECT_FALSE(IsSaneRequestId("\"quoted\""));
  EXPECT_FALSE(IsSaneRequestId("\xc3\xa4"));
}

TEST(RequestIdTest, MakesSaneIdsThatDiffer) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(NewRequestId());
  EXPECT_EQ(ids.size(), 1000u);
  for (const std::string& id : ids) {
    EXPECT_EQ(id.size(), 32u);
    EXPECT_TRUE(IsSaneRequestId(id));
  }
}

}  // namespace
}  // namespace hearwire
