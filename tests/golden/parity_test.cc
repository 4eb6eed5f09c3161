// Every backend against the reference: every config that has goldens, scene and timestamps, every clip.

#include "tests/golden/parity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "models/checkpoint/checkpoint.h"
#include "tests/fixtures/checkpoint_writer.h"
#include "tests/fixtures/shared_data.h"
#include "tests/fixtures/sounds.h"
#include "tests/golden/backends.h"

namespace hearwire {
namespace {

class ParityTest : public testing::TestWithParam<BackendFactory> {
 protected:
  void ExpectParity(const std::vector<GoldenCase>& cases) {
    for (const GoldenCase& golden : cases) {
      SCOPED_TRACE(testing::Message() << golden.config->name << " " << golden.clip << " " << NameOf(golden.kind));
      const absl::StatusOr<Parity> parity = MeasureParity(pipeline_, golden);
      ASSERT_TRUE(parity.ok()) << parity.status();
      EXPECT_LE(parity->error, GetParam().tolerance);
    }
  }

  SerialPipeline pipeline_{GetParam().make};
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ParityTest);
INSTANTIATE_TEST_SUITE_P(Backends, ParityTest, testing::ValuesIn(BackendsUnderTest()),
                         [](const auto& info) { return info.param.name; });

TEST_P(ParityTest, EmbedsLikeTheReferenceWithTheDefaultNetwork) {
  const std::vector<GoldenCase> cases = CommittedGoldenCases();
  ASSERT_EQ(cases.size(), 11u);  // Four sounds, timestamps of three.
  ExpectParity(cases);
}

TEST_P(ParityTest, EmbedsLikeTheReferenceWithEveryConfig) {
  HEARWIRE_SKIP_WITHOUT_SHARED_DATA();
  const absl::StatusOr<std::vector<GoldenCase>> cases = SharedGoldenCases();
  ASSERT_TRUE(cases.ok()) << cases.status();
  ASSERT_GE(cases->size(), 69u * 5);  // 69 configs; at least three scenes and two timestamps each, but for two of them.
  ExpectParity(*cases);
}

// The reference's largest networks have no goldens: they are the same network, wider. Weights of their shapes load from
// a checkpoint and run.
TEST_P(ParityTest, RunsTheWideConfigs) {
  const std::vector<float> clip = GoldenSound("noise_burst_0s4");
  int configs = 0;
  for (const double width : {2.0, 3.0, 4.0}) {
    const std::string name = "seeded";
    const absl::StatusOr<Checkpoint> checkpoint = ParseCheckpoint(SeededCheckpoint(width, HeadKind::kMlp), name);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    absl::StatusOr<NetworkWeights> weights = MakeNetworkWeights(*checkpoint, name);
    ASSERT_TRUE(weights.ok()) << weights.status();
    SerialPipeline pipeline(GetParam().make);
    pipeline.AddWeights(name, std::make_shared<const NetworkWeights>(*std::move(weights)));
    for (const Config& config : Configs()) {
      if (config.network->width != width) continue;
      ++configs;
      SCOPED_TRACE(config.name);
      const size_t size = config.embedding_size();
      const auto scene = pipeline.Scene(name, config, config.readout, clip);
      ASSERT_TRUE(scene.ok()) << scene.status();
      EXPECT_THAT(*scene, testing::SizeIs(size));
      const auto timestamps = pipeline.Timestamps(name, config, clip);
      ASSERT_TRUE(timestamps.ok()) << timestamps.status();
      EXPECT_THAT(*timestamps, testing::SizeIs(9 * size));  // 0 to 400 ms.
      EXPECT_THAT(*scene, testing::Each(testing::Truly([](float value) { return std::isfinite(value); })));
      EXPECT_THAT(*scene, testing::Contains(testing::Ne(0.0f)));
    }
  }
  EXPECT_EQ(configs, 7);
}

}  // namespace
}  // namespace hearwire
