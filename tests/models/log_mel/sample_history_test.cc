#include "models/log_mel/sample_history.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

namespace hearwire {
namespace {

// A stream whose sample i is i, modulo a number that floats hold.
std::vector<float> Samples(int64_t first, int64_t count) {
  std::vector<float> samples;
  for (int64_t i = first; i < first + count; ++i) samples.push_back(static_cast<float>(i % 1000003));
  return samples;
}

TEST(SampleHistoryTest, KeepsWhatIsNotDropped) {
  std::mt19937 random(1);
  for (const int64_t first : {int64_t{0}, int64_t{12345}, int64_t{1} << 61}) {
    SampleHistory history(first);
    std::vector<float> scratch(20000);
    for (int round = 0; round < 500; ++round) {
      history.Append(Samples(history.end(), random() % 5000));
      history.DropBefore(history.end() - static_cast<int64_t>(random() % 20000));
      ASSERT_GE(history.begin(), first);
      const int64_t held = history.end() - history.begin();
      if (held == 0) continue;
      const int64_t offset = random() % held;
      const int64_t count = 1 + random() % (held - offset);
      const float* const read = history.Read(history.begin() + offset, count, scratch.data());
      ASSERT_EQ(std::vector<float>(read, read + count), Samples(history.begin() + offset, count));
    }
  }
}

TEST(SampleHistoryTest, HoldsLittleMoreThanItsSamples) {
  SampleHistory history(0);
  for (int i = 0; i < 1000; ++i) {
    history.Append(Samples(history.end(), 777));
    history.DropBefore(history.end() - 10000);
    ASSERT_LE(history.bytes(), (10000 + 777 + 3 * SampleHistory::kChunkSamples) * 4);
  }
}

TEST(SampleHistoryTest, ViewsStandBesideCopies) {
  const std::vector<float> viewed = Samples(100, 20000);
  SampleHistory history(0);
  history.Append(Samples(0, 100));
  history.AppendView(viewed);
  history.Append(Samples(20100, 100));
  std::vector<float> scratch(20200);
  EXPECT_EQ(history.Read(500, 1000, nullptr), viewed.data() + 400) << "no copy";
  const float* const all = history.Read(0, 20200, scratch.data());
  EXPECT_EQ(std::vector<float>(all, all + 20200), Samples(0, 20200));
  EXPECT_EQ(*history.Read(50, 1, nullptr), 50) << "back again";
  EXPECT_EQ(history.bytes(), 2 * SampleHistory::kChunkSamples * 4);
}

TEST(SampleHistoryTest, DropsNothingThatHasNotComeYet) {
  SampleHistory history(0);
  history.Append(Samples(0, 100));
  history.DropBefore(1000);
  EXPECT_EQ(history.begin(), 100);
  history.Append(Samples(100, 100));
  EXPECT_EQ(*history.Read(150, 1, nullptr), 150);
  history.DropBefore(50);
  EXPECT_EQ(history.begin(), 100) << "begin never falls";
}

}  // namespace
}  // namespace hearwire
