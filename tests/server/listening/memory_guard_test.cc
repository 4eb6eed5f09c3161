#include "server/listening/memory_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearwire {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using Seen = MemoryGuard::Seen;

constexpr int64_t kMiB = 1 << 20;

// As of a server in 768 MB.
const MemoryGuard guard(
    {.limit_bytes = 768 * kMiB, .calm_bytes = 32 * kMiB, .max_message_bytes = 36 * kMiB, .max_calls = 1024});

Seen Begun(MemoryGuard::Id id, int64_t calls) {
  return {.id = id, .bytes = calls * 150, .unknown_calls = calls, .open_calls = calls};
}

TEST(MemoryGuardTest, LeavesRoomBelowTheLimitAndAboveWhatCallsMayTake) {
  EXPECT_EQ(guard.high(), 624 * kMiB);
  EXPECT_EQ(guard.watched(), 80 * kMiB);
  // A server that takes most of the machine before any call is not taken for one under attack.
  const MemoryGuard large({.limit_bytes = 1000 * kMiB, .calm_bytes = 900 * kMiB});
  EXPECT_EQ(large.high(), 950 * kMiB);
  EXPECT_EQ(large.watched(), 950 * kMiB);
}

TEST(MemoryGuardTest, LooksMoreOftenWhereMemoryGrows) {
  EXPECT_EQ(guard.NextLook(40 * kMiB, 40 * kMiB), MemoryGuard::kLookWhereStill);
  EXPECT_EQ(guard.NextLook(40 * kMiB, 39 * kMiB), MemoryGuard::kLook);
  EXPECT_EQ(guard.NextLook(guard.watched(), guard.watched()), MemoryGuard::kLookWhereWatched);
}

TEST(MemoryGuardTest, LetsAllBeWhileMemoryIsLow) {
  EXPECT_THAT(guard.Worst(guard.watched() - 1, {Begun(1, 100000)}), IsEmpty());
  EXPECT_THAT(guard.Worst(guard.high() - kMiB - 100 * 64 * 1024, {Begun(1, 100)}), IsEmpty());
}

TEST(MemoryGuardTest, EndsFloodsBeforeMemoryIsHigh) {
  const Seen reset = {.id = 1, .unknown_calls = 2049, .open_calls = 2049};
  const Seen unfinished = {.id = 2, .known_calls = 2049};
  const Seen endless_headers = {.id = 3, .bytes = 61 * kMiB, .unknown_calls = 1, .open_calls = 1};
  const Seen most = {.id = 4, .bytes = 40 * kMiB, .unknown_calls = 1024, .open_calls = 1024, .known_calls = 1024};
  EXPECT_THAT(guard.Worst(guard.watched(), {reset, most, unfinished, endless_headers}), ElementsAre(1, 2, 3));
}

TEST(MemoryGuardTest, CountsWhatItTakesToEndCalls) {
  std::vector<Seen> many;
  for (int i = 0; i < 200; ++i) many.push_back(Begun(i, 100));
  EXPECT_THAT(guard.Worst(guard.watched(), many), Not(IsEmpty()));
  many.resize(20);
  EXPECT_THAT(guard.Worst(guard.watched(), many), IsEmpty());
}

TEST(MemoryGuardTest, EndsTheWorstFirstAndNoMoreThanHoldWhatIsTooMuch) {
  const std::vector<Seen> all = {Begun(1, 200), Begun(2, 800), Begun(3, 400)};
  EXPECT_THAT(guard.Worst(guard.high() - 60 * kMiB, all), ElementsAre(2));
  EXPECT_THAT(guard.Worst(guard.high(), all), ElementsAre(2, 3, 1));
}

TEST(MemoryGuardTest, EndsAllOfAnOriginThatHasManyOfThem) {
  std::vector<Seen> all;
  for (int i = 0; i < 10; ++i) all.push_back(Begun(i, 100));
  for (Seen& seen : all) seen.origin = "10.0.0.7";
  all.push_back({.id = 10, .origin = "10.0.0.7"});
  all.push_back({.id = 11, .origin = "10.0.0.7", .known_calls = 1});
  all.push_back({.id = 12, .origin = "10.0.0.8"});
  EXPECT_THAT(guard.Worst(guard.high(), all), SizeIs(11));
}

TEST(MemoryGuardTest, LetsHonestConnectionsBeWhenMemoryIsHigh) {
  const int64_t high = guard.high() + kMiB;
  const Seen idle = {.id = 1};
  const Seen upload = {.id = 2, .bytes = 26 * kMiB, .unknown_calls = 1, .open_calls = 1};
  const Seen streams = {.id = 3, .bytes = 2 * kMiB, .known_calls = 256};
  const Seen unread_replies = {.id = 4, .bytes = 1000, .known_calls = 30};
  const Seen begins_many = {.id = 5, .bytes = 40000, .unknown_calls = 1000, .open_calls = 1000, .known_calls = 24};
  const Seen given_up = {.id = 6, .known_calls = 1000, .given_up = 1000};
  EXPECT_THAT(guard.Worst(high, {idle, upload, streams, unread_replies, begins_many, given_up}), IsEmpty());
}

TEST(MemoryGuardTest, SparesWhoHasCallsUntilItHoldsMuch) {
  const Seen decoy = {.id = 1, .unknown_calls = 1600, .open_calls = 1600, .known_calls = 1};
  const Seen with_calls = {.id = 2, .unknown_calls = 1500, .open_calls = 1000, .known_calls = 1};
  EXPECT_THAT(guard.Worst(guard.high(), {with_calls, decoy, Begun(3, 100)}), ElementsAre(3, 1));
}

TEST(MemoryGuardTest, TakesUploadsForAnAttackWhereNothingElseIsLeft) {
  const Seen upload = {.id = 1, .bytes = 26 * kMiB, .unknown_calls = 1, .open_calls = 1};
  EXPECT_THAT(guard.Worst(700 * kMiB, {upload, Begun(2, 100)}), ElementsAre(2, 1));
  EXPECT_THAT(guard.Worst(690 * kMiB, {upload}), IsEmpty());
}

TEST(MemoryGuardTest, DoesNothingWithoutALimit) {
  const MemoryGuard none({.max_calls = 1024});
  EXPECT_THAT(none.Worst(int64_t{1} << 40, {Begun(1, 100000)}), IsEmpty());
}

}  // namespace
}  // namespace hearwire
