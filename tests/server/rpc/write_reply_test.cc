#include "server/rpc/write_reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace hearwire {
namespace {

using ::testing::HasSubstr;

TEST(WriteReplyTest, RefusesFloat16ForValuesBeyondItAndNamesTheClip) {
  const CallResult scenes{.row_size = 2, .rows_per_clip = {1, 1}, .rows = {1, -65504, 3, 65520}};
  v1::GetSceneEmbeddingsResponse scene_reply;
  const auto scene_error = WriteSceneEmbeddings(scenes, v1::ELEMENT_TYPE_FLOAT16, &scene_reply);
  ASSERT_TRUE(scene_error);
  EXPECT_EQ(scene_error->status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(scene_error->status.message()), HasSubstr("clips[1] holds 65520"));
  EXPECT_FALSE(WriteSceneEmbeddings(scenes, v1::ELEMENT_TYPE_FLOAT32, &scene_reply));

  const CallResult timestamps{.row_size = 1, .rows_per_clip = {1, 2, 2}, .rows = {1, 2, 3, 4, -1e6f}};
  v1::GetTimestampEmbeddingsResponse timestamp_reply;
  const auto timestamp_error = WriteTimestampEmbeddings(timestamps, v1::ELEMENT_TYPE_FLOAT16, &timestamp_reply);
  ASSERT_TRUE(timestamp_error);
  EXPECT_THAT(std::string(timestamp_error->status.message()), HasSubstr("clips[2] holds -1e+06"));
}

TEST(WriteReplyTest, SortsEqualTagsByIndex) {
  CallResult result{.row_size = kClassCount, .rows_per_clip = {1}, .rows = std::vector<float>(kClassCount, 0.5f)};
  result.rows[300] = 0.75f;
  v1::GetTagsResponse response;
  WriteTags(result, 3, &response);
  ASSERT_EQ(response.clips(0).tags_size(), 3);
  EXPECT_EQ(response.clips(0).tags(0).index(), 300u);
  EXPECT_EQ(response.clips(0).tags(1).index(), 0u);
  EXPECT_EQ(response.clips(0).tags(2).index(), 1u);
}

}  // namespace
}  // namespace hearwire
