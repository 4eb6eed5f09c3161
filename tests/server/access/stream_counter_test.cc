#include "server/access/stream_counter.h"

#include <gtest/gtest.h>

namespace hearwire {
namespace {

using Entry = StreamCounter::Entry;

TEST(StreamCounterTest, LeavesOthersRoom) {
  StreamCounter counter(3);
  EXPECT_EQ(counter.Enter("a", 2), Entry::kIn);
  EXPECT_EQ(counter.Enter("a", 2), Entry::kIn);
  EXPECT_EQ(counter.Enter("a", 2), Entry::kCallerFull);
  EXPECT_EQ(counter.Enter("b", 2), Entry::kIn);
  EXPECT_EQ(counter.Enter("b", 2), Entry::kFull);
  EXPECT_EQ(counter.Enter("c", 2), Entry::kFull);
  EXPECT_EQ(counter.Enter("a", 2), Entry::kCallerFull) << "what is its own comes first";
  EXPECT_EQ(counter.open(), 3);
}

TEST(StreamCounterTest, GivesPlacesBack) {
  StreamCounter counter(2);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(counter.Enter("a", 1), Entry::kIn);
    EXPECT_EQ(counter.Enter("a", 1), Entry::kCallerFull);
    counter.Leave("a");
    EXPECT_EQ(counter.open(), 0);
  }
  EXPECT_EQ(counter.Enter("b", 5), Entry::kIn);
}

}  // namespace
}  // namespace hearwire
