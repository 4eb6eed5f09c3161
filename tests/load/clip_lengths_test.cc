#include "load/clip_lengths.h"

#include <numeric>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hearwire::load {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<double> Spread(const std::string& text, int count) {
  const auto lengths = ClipLengths::Parse(text);
  EXPECT_TRUE(lengths.ok()) << lengths.status();
  return lengths.ok() ? lengths->Spread(count) : std::vector<double>();
}

TEST(ClipLengthsTest, AListIsTakenAsItIs) {
  EXPECT_THAT(Spread("1.5", 64), ElementsAre(1.5));
  EXPECT_THAT(Spread("0.2,1,10", 64), ElementsAre(0.2, 1, 10));
}

TEST(ClipLengthsTest, DistributionsAreSpreadAsTheyAre) {
  EXPECT_THAT(Spread("uniform:1,5", 4), ElementsAre(1.5, 2.5, 3.5, 4.5));
  const auto exponential = Spread("exponential:2", 1000);
  EXPECT_NEAR(std::accumulate(exponential.begin(), exponential.end(), 0.0) / 1000, 2, 0.01);
  EXPECT_NEAR(exponential[500], 2 * 0.6931, 0.01);
  const auto lognormal = Spread("lognormal:3,0.5", 1001);
  EXPECT_NEAR(lognormal[500], 3, 1e-6);
  EXPECT_NEAR(lognormal[841], 3 * 1.6487, 0.01);  // One sigma above.
}

TEST(ClipLengthsTest, WrongTextSaysWhatWouldBeRight) {
  for (const auto& [text, word] : std::vector<std::pair<std::string, std::string>>{{"a", "seconds"},
                                                                                   {"", "seconds"},
                                                                                   {"1,,2", "seconds"},
                                                                                   {"nan", "seconds"},
                                                                                   {"-1", "0 to 3600"},
                                                                                   {"4000", "0 to 3600"},
                                                                                   {"normal:1,2", "lognormal"},
                                                                                   {"uniform:5,1", "LEAST,MOST"},
                                                                                   {"uniform:5", "LEAST,MOST"},
                                                                                   {"exponential:1,2", "MEAN"},
                                                                                   {"lognormal:1", "SIGMA"}}) {
    const auto lengths = ClipLengths::Parse(text);
    ASSERT_FALSE(lengths.ok()) << text;
    EXPECT_THAT(std::string(lengths.status().message()), HasSubstr(word)) << text;
  }
}

}  // namespace
}  // namespace hearwire::load
