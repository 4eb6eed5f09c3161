#include "client/kept_audio.h"

#include "gtest/gtest.h"

namespace hearwire::client {
namespace {

TEST(KeptAudioTest, GivesPiecesByTheirOffset) {
  KeptAudio audio;
  audio.Append("0123456789");
  EXPECT_EQ(audio.Piece(0, 4), "0123");
  EXPECT_EQ(audio.Piece(8, 4), "89");
  EXPECT_EQ(audio.Piece(10, 4), "");
  audio.DropBefore(3);
  EXPECT_EQ(audio.begin(), 3);
  EXPECT_EQ(audio.size(), 7);
  EXPECT_EQ(audio.Piece(3, 2), "34");
  audio.DropBefore(8);
  audio.Append("ab");
  EXPECT_EQ(audio.begin(), 8);
  EXPECT_EQ(audio.end(), 12);
  EXPECT_EQ(audio.Piece(8, 10), "89ab");
}

TEST(KeptAudioTest, DropsNoMoreThanItHas) {
  KeptAudio audio;
  audio.Append("0123");
  audio.DropBefore(100);
  EXPECT_EQ(audio.begin(), 4);
  EXPECT_EQ(audio.end(), 4);
  audio.DropBefore(2);
  EXPECT_EQ(audio.begin(), 4);
  audio.Append("45");
  EXPECT_EQ(audio.Piece(4, 10), "45");
}

}  // namespace
}  // namespace hearwire::client
