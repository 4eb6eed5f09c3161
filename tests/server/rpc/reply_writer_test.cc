#include "server/rpc/reply_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "models/configs/config.h"

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const auto kNetwork =
    std::make_shared<const LoadedNetwork>(LoadedNetwork{.info = FindNetwork(kEmbeddedNetworkName), .sha256 = "0123"});
const ReplySpace kSpace{"some_config", kNetwork, "float32"};

template <typename Response>
std::unique_ptr<ReplyWriter> NewWriter(int row_size, int clips, v1::ElementType type, Response* reply) {
  return NewReplyWriter(kSpace, row_size, clips, type, reply);
}

std::vector<float> Values(const v1::Matrix& matrix) {
  std::vector<float> values(matrix.data().size() / sizeof(float));
  std::memcpy(values.data(), matrix.data().data(), matrix.data().size());
  return values;
}

// All rows of a clip.
WindowRows Last(int clip, const std::vector<float>& rows) { return {.clip = clip, .rows = rows, .last = true}; }

TEST(ReplyWriterTest, PutsScenesIntoTheirPlacesWhicheverComesFirst) {
  v1::GetSceneEmbeddingsResponse reply;
  const auto writer = NewWriter(2, 3, v1::ELEMENT_TYPE_FLOAT32, &reply);
  EXPECT_FALSE(writer->WriteRows(Last(2, {5, 6})));
  EXPECT_FALSE(writer->WriteRows(Last(0, {1, 2})));
  EXPECT_FALSE(writer->WriteRows(Last(1, {3, 4})));
  writer->WriteEnd(absl::Milliseconds(1), {});
  EXPECT_EQ(reply.embeddings().rows(), 3u);
  EXPECT_EQ(reply.embeddings().columns(), 2u);
  EXPECT_THAT(Values(reply.embeddings()), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(reply.space().config(), "some_config");
  EXPECT_EQ(reply.space().weights_sha256(), "0123");
  EXPECT_EQ(reply.timings().total_ns(), 1'000'000u);
}

TEST(ReplyWriterTest, AppendsTimestampsInPieces) {
  v1::GetTimestampEmbeddingsResponse reply;
  const auto writer = NewWriter(1, 2, v1::ELEMENT_TYPE_FLOAT32, &reply);
  EXPECT_FALSE(writer->WriteRows(Last(1, {4})));
  EXPECT_FALSE(writer->WriteRows(Last(0, {1, 2})));
  EXPECT_FALSE(writer->WriteRows(Last(0, {3})));
  EXPECT_THAT(Values(reply.clips(0).embeddings()), ElementsAre(1, 2, 3));
  EXPECT_EQ(reply.clips(0).embeddings().rows(), 3u);
  EXPECT_THAT(reply.clips(0).timestamps_ms(), ElementsAre(0, 50, 100));
  EXPECT_THAT(Values(reply.clips(1).embeddings()), ElementsAre(4));
}

TEST(ReplyWriterTest, RefusesFloat16ForValuesBeyondItAndNamesTheClip) {
  v1::GetSceneEmbeddingsResponse scenes;
  const auto scene_writer = NewWriter(2, 2, v1::ELEMENT_TYPE_FLOAT16, &scenes);
  EXPECT_FALSE(scene_writer->WriteRows(Last(0, {1, -65504})));
  const auto scene_fault = scene_writer->WriteRows(Last(1, {3, 65520}));
  ASSERT_TRUE(scene_fault);
  EXPECT_EQ(scene_fault->error.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(scene_fault->error.status.message()), HasSubstr("clips[1] holds 65520"));
  EXPECT_EQ(scene_fault->field, "element_type");
  EXPECT_FALSE(NewWriter(2, 2, v1::ELEMENT_TYPE_FLOAT32, &scenes)->WriteRows(Last(1, {3, 65520})));

  v1::GetTimestampEmbeddingsResponse timestamps;
  const auto timestamp_writer = NewWriter(1, 3, v1::ELEMENT_TYPE_FLOAT16, &timestamps);
  EXPECT_FALSE(timestamp_writer->WriteRows(Last(0, {1})));
  const auto timestamp_fault = timestamp_writer->WriteRows(Last(2, {4, -1e6f}));
  ASSERT_TRUE(timestamp_fault);
  EXPECT_THAT(std::string(timestamp_fault->error.status.message()), HasSubstr("clips[2] holds -1e+06"));
}

TEST(ReplyWriterTest, AveragesTheWindowsOfLongScenes) {
  v1::GetSceneEmbeddingsResponse reply;
  const auto writer = NewWriter(2, 1, v1::ELEMENT_TYPE_FLOAT32, &reply);
  EXPECT_FALSE(writer->WriteRows({.rows = {10, 20, 20, 40}}));
  EXPECT_FALSE(writer->WriteRows({.first_window = 2, .rows = {60, 90}}));
  EXPECT_TRUE(reply.embeddings().data().empty());
  EXPECT_FALSE(writer->WriteRows({.first_window = 3, .last = true}));
  EXPECT_THAT(Values(reply.embeddings()), ElementsAre(30, 50));
}

TEST(ReplyWriterTest, MakesTagsTheSigmoidOfTheMeanLogits) {
  std::vector<float> logits(kAudioSetClassCount, -200.0f);
  logits[3] = -1;
  v1::GetTagsResponse reply;
  const auto writer = NewTagsWriter(kSpace, 1, 2, &reply);
  EXPECT_FALSE(writer->WriteRows({.rows = logits}));
  logits[3] = 3;
  EXPECT_FALSE(writer->WriteRows({.first_window = 1, .rows = logits, .last = true}));
  ASSERT_EQ(reply.clips(0).tags_size(), 2);
  EXPECT_EQ(reply.clips(0).tags(0).index(), 3u);
  EXPECT_FLOAT_EQ(reply.clips(0).tags(0).probability(), 1 / (1 + std::exp(-1.0f)));
  EXPECT_FLOAT_EQ(reply.clips(0).tags(1).probability(), 0);
}

TEST(ReplyWriterTest, SortsEqualTagsByIndex) {
  std::vector<float> logits(kAudioSetClassCount, 0.5f);
  logits[300] = 0.75f;
  v1::GetTagsResponse reply;
  EXPECT_FALSE(NewTagsWriter(kSpace, 1, 3, &reply)->WriteRows(Last(0, logits)));
  ASSERT_EQ(reply.clips(0).tags_size(), 3);
  EXPECT_EQ(reply.clips(0).tags(0).index(), 300u);
  EXPECT_EQ(reply.clips(0).tags(1).index(), 0u);
  EXPECT_EQ(reply.clips(0).tags(2).index(), 1u);
}

}  // namespace
}  // namespace hearwire
