#include "models/weights/self_test_vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/configs/config.h"
#include "tests/fixtures/npy.h"
#include "tests/fixtures/sounds.h"

namespace hearwire {
namespace {

std::vector<float> Golden(const std::string& file) {
  const auto golden = ReadNpy(HEARWIRE_SOURCE_DIR "/tests/golden/hearwire_mn01/" + file);
  EXPECT_TRUE(golden.ok()) << golden.status();
  return golden.ok() ? golden->values : std::vector<float>();
}

TEST(SelfTestVectorsTest, EqualTheGoldenFiles) {
  const std::vector<SelfTestVector> vectors = SelfTestVectors();
  ASSERT_EQ(vectors.size(), 2u);
  for (const SelfTestVector& vector : vectors) {
    const std::string sound(vector.sound);
    EXPECT_EQ(vector.clip, GoldenSound(sound));
    EXPECT_EQ(vector.scene_embedding, Golden(sound + ".scene.npy")) << sound;
    EXPECT_EQ(vector.logits, Golden(sound + ".logits.npy")) << sound;
  }
}

TEST(SelfTestVectorsTest, HaveTheSizesOfTheDefaultConfig) {
  for (const SelfTestVector& vector : SelfTestVectors()) {
    EXPECT_EQ(vector.scene_embedding.size(), static_cast<size_t>(FindConfig(kEmbeddedConfigName)->embedding_size()));
    EXPECT_EQ(vector.logits.size(), static_cast<size_t>(kAudioSetClassCount));
  }
}

}  // namespace
}  // namespace hearwire
