#include "models/weights/embedded_network.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/network_weights.h"
#include "models/configs/config.h"

namespace hearwire {
namespace {

TEST(EmbeddedCheckpointTest, IsTheCommittedFile) {
  std::ifstream in(HEARWIRE_SOURCE_DIR "/models/weights/hearwire_mn01.pt", std::ios::binary);
  const std::string file((std::istreambuf_iterator<char>(in)), {});
  ASSERT_GT(file.size(), 500000u);
  EXPECT_TRUE(EmbeddedCheckpoint() == file);
}

TEST(EmbeddedCheckpointTest, IsTheNetworkThatTheTableDescribes) {
  const auto checkpoint = ParseCheckpoint(EmbeddedCheckpoint(), "the embedded checkpoint");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const auto weights = MakeNetworkWeights(*checkpoint, "the embedded checkpoint");
  ASSERT_TRUE(weights.ok()) << weights.status();
  const NetworkInfo* network = FindNetwork(kEmbeddedNetworkName);
  EXPECT_EQ(weights->width, network->width);
  EXPECT_EQ(weights->head, network->head);
  EXPECT_EQ(weights->sha256, network->sha256);
}

}  // namespace
}  // namespace hearwire
