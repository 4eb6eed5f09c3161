#include "server/rpc/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace hearwire {
namespace {

using ::testing::Optional;
using ::testing::StartsWith;

template <typename Detail>
std::optional<Detail> Find(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.code(), status.error_code());
  EXPECT_EQ(details.message(), status.error_message());
  Detail found;
  for (const auto& detail : details.details()) {
    if (detail.UnpackTo(&found)) return found;
  }
  return std::nullopt;
}

TEST(ToRpcStatusTest, NamesTheFieldInMessageAndBadRequest) {
  const RpcStatus answer = ToRpcStatus(
      {.status = absl::InvalidArgumentError("no samples"), .reason = reason::kInvalidAudio}, "clips[3].pcm.samples");
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(answer.status.error_message(), "clips[3].pcm.samples: no samples");
  const auto bad_request = Find<google::rpc::BadRequest>(answer.status);
  ASSERT_TRUE(bad_request);
  ASSERT_EQ(bad_request->field_violations_size(), 1);
  EXPECT_EQ(bad_request->field_violations(0).field(), "clips[3].pcm.samples");
  EXPECT_EQ(bad_request->field_violations(0).description(), "no samples");
  EXPECT_FALSE(answer.pushback_ms);
}

TEST(ToRpcStatusTest, GivesReasonAndFacts) {
  const RpcStatus answer = ToRpcStatus({.status = absl::ResourceExhaustedError("too large"),
                                        .reason = reason::kReplyTooLarge,
                                        .never_retry = true,
                                        .facts = {{"reply_bytes", "125"}}},
                                       "");
  const auto info = Find<google::rpc::ErrorInfo>(answer.status);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->domain(), "hearwire");
  EXPECT_EQ(info->reason(), "REPLY_TOO_LARGE");
  EXPECT_EQ(info->metadata().at("reply_bytes"), "125");
  EXPECT_THAT(answer.pushback_ms, Optional(std::string("-1")));
  EXPECT_FALSE(Find<google::rpc::RetryInfo>(answer.status));
  EXPECT_FALSE(Find<google::rpc::BadRequest>(answer.status));
}

TEST(ToRpcStatusTest, SaysWhenToTryAgainInTrailerAndRetryInfo) {
  const RpcStatus answer = ToRpcStatus({.status = absl::ResourceExhaustedError("full"),
                                        .reason = reason::kQueueFull,
                                        .retry_after = absl::Milliseconds(2250)},
                                       "");
  EXPECT_THAT(answer.pushback_ms, Optional(std::string("2250")));
  const auto retry = Find<google::rpc::RetryInfo>(answer.status);
  ASSERT_TRUE(retry);
  EXPECT_EQ(retry->retry_delay().seconds(), 2);
  EXPECT_EQ(retry->retry_delay().nanos(), 250'000'000);
}

TEST(ToRpcStatusTest, CutsALongMessageBetweenCharacters) {
  std::string text(1023, 'x');
  for (int i = 0; i < 1000; ++i) text += "ä";
  const RpcStatus answer = ToRpcStatus({.status = absl::InternalError(text)}, "");
  EXPECT_EQ(answer.status.error_message(), std::string(1023, 'x') + "…");
}

}  // namespace
}  // namespace hearwire
