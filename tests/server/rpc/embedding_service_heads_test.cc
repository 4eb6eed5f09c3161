// What is answered about heads, and by them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/log_mel/clip_windows.h"
#include "server/rpc/embedding_service.h"
#include "tests/server/rpc/service_harness.h"

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const int kEmbeddingSize = FindConfig(kEmbeddedConfigName)->embedding_size();

HeadFile MakeHead(std::vector<int> sizes, uint32_t seed = 1) {
  sizes.insert(sizes.begin(), kEmbeddingSize);
  return MakeHeadFile(kEmbeddedConfigName, sizes, seed);
}

HeadFile MakeTimestampHead(std::vector<int> sizes, uint32_t seed = 1) {
  HeadFile head = MakeHead(std::move(sizes), seed);
  head.metadata["kind"] = "timestamps";
  return head;
}

v1::ListHeadsResponse ListHeads(ServiceHarness* harness) {
  grpc::ClientContext context;
  v1::ListHeadsResponse response;
  const grpc::Status status = harness->NewStub()->ListHeads(&context, {}, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

TEST(ServiceHeadsTest, AreListedByName) {
  HeadFile birds = MakeTimestampHead({3});
  birds.metadata["output"] = "sigmoid";
  birds.metadata["labels"] = R"(["wren", "owl", "tit"])";
  ServiceHarness harness({.heads = {{"birds", birds}, {"Alarms", MakeHead({8, 2})}}});
  const v1::ListHeadsResponse listed = ListHeads(&harness);
  ASSERT_THAT(listed.heads(), SizeIs(2));
  const v1::Head& first = listed.heads(0);
  EXPECT_EQ(first.name(), "Alarms");
  EXPECT_EQ(first.kind(), v1::HEAD_KIND_SCENE);
  EXPECT_THAT(first.labels(), ElementsAre("label 0", "label 1"));
  EXPECT_FALSE(first.multi_label());
  const v1::Head& second = listed.heads(1);
  EXPECT_EQ(second.name(), "birds");
  EXPECT_EQ(second.config(), kEmbeddedConfigName);
  EXPECT_EQ(second.kind(), v1::HEAD_KIND_TIMESTAMPS);
  EXPECT_THAT(second.labels(), ElementsAre("wren", "owl", "tit"));
  EXPECT_TRUE(second.multi_label());
  EXPECT_EQ(second.space().config(), kEmbeddedConfigName);
  EXPECT_EQ(second.space().weights_sha256(), FindNetwork(kEmbeddedNetworkName)->sha256);
  EXPECT_EQ(second.space().frontend(), kFrontendVersion);
  EXPECT_EQ(second.space().precision(), "float32");
  EXPECT_THAT(second.sha256(), SizeIs(64));
  EXPECT_EQ(harness.metrics.count("call ListHeads  OK"), 1);
}

TEST(ServiceHeadsTest, AreNoneWithoutAFolder) {
  ServiceHarness harness;
  EXPECT_THAT(ListHeads(&harness).heads(), IsEmpty());
}

TEST(ServiceHeadsTest, AreNotListedWhileItDrains) {
  ServiceHarness harness;
  harness.service->BeginDrain(0);
  grpc::ClientContext context;
  v1::ListHeadsResponse response;
  EXPECT_EQ(harness.NewStub()->ListHeads(&context, {}, &response).error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace hearwire
