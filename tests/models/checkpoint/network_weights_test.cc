#include "models/checkpoint/network_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/fixtures/checkpoint_writer.h"
#include "tests/fixtures/shared_data.h"

namespace hearwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Checkpoint ToCheckpoint(std::vector<NamedTensor> tensors) {
  Checkpoint checkpoint;
  for (NamedTensor& tensor : tensors) {
    if (tensor.name.ends_with(".num_batches_tracked")) continue;
    checkpoint.tensors[tensor.name] = {std::move(tensor.shape), std::move(tensor.values)};
  }
  return checkpoint;
}

Checkpoint SeededMn01(HeadKind head = HeadKind::kMlp) { return ToCheckpoint(SeededTensors(0.1, head)); }

std::string Refusal(const Checkpoint& checkpoint) {
  const auto weights = MakeNetworkWeights(checkpoint, "test.pt");
  if (weights.ok()) return "not refused";
  EXPECT_EQ(weights.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(weights.status().message()), StartsWith("test.pt: "));
  return std::string(weights.status().message());
}

TEST(NetworkWeightsTest, FoldsBatchNormIntoTheConvolution) {
  Checkpoint checkpoint = SeededMn01();
  const auto value = [&](const std::string& name, size_t i) {
    return static_cast<double>(checkpoint.tensors.at("features.5.block.0." + name).values[i]);
  };
  const auto weights = MakeNetworkWeights(checkpoint, "test.pt");
  ASSERT_TRUE(weights.ok()) << weights.status();
  const ConvolutionWeights& folded = *weights->blocks[4].expansion;
  EXPECT_EQ(folded.out_channels, 16);
  EXPECT_EQ(folded.in_channels, 8);
  EXPECT_EQ(folded.kernel, 1);
  ASSERT_EQ(folded.weight.size(), 128u);
  ASSERT_EQ(folded.bias.size(), 16u);
  for (size_t c = 0; c < 16; ++c) {
    const double scale = value("1.weight", c) / std::sqrt(value("1.running_var", c) + 1e-3);
    for (size_t i = 0; i < 8; ++i) EXPECT_FLOAT_EQ(folded.weight[8 * c + i], value("0.weight", 8 * c + i) * scale);
    EXPECT_FLOAT_EQ(folded.bias[c], value("1.bias", c) - value("1.running_mean", c) * scale);
  }
}

TEST(NetworkWeightsTest, FoldsTheBatchNormOfAFullyConvolutionalHead) {
  const Checkpoint checkpoint = SeededMn01(HeadKind::kFullyConvolutional);
  const auto weights = MakeNetworkWeights(checkpoint, "test.pt");
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->head, HeadKind::kFullyConvolutional);
  EXPECT_TRUE(weights->hidden_layer.weight.empty());
  EXPECT_EQ(weights->class_layer.out_channels, kAudioSetClassCount);
  EXPECT_EQ(weights->class_layer.in_channels, 96);
  const double scale = checkpoint.tensors.at("classifier.1.weight").values[1] /
                       std::sqrt(checkpoint.tensors.at("classifier.1.running_var").values[1] + 1e-3);
  EXPECT_FLOAT_EQ(weights->class_layer.weight[97], checkpoint.tensors.at("classifier.0.weight").values[97] * scale);
}

TEST(NetworkWeightsTest, TakesLinearLayersAsTheyAre) {
  const Checkpoint checkpoint = SeededMn01();
  const auto weights = MakeNetworkWeights(checkpoint, "test.pt");
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->hidden_layer.weight, checkpoint.tensors.at("classifier.2.weight").values);
  EXPECT_EQ(weights->class_layer.bias, checkpoint.tensors.at("classifier.5.bias").values);
  const SqueezeExciteWeights& squeeze_excite = *weights->blocks[3].squeeze_excite;  // Block 4 has no expansion here.
  EXPECT_EQ(squeeze_excite.fc1.weight, checkpoint.tensors.at("features.4.block.1.conc_se_layers.0.fc1.weight").values);
  EXPECT_EQ(squeeze_excite.fc2.bias, checkpoint.tensors.at("features.4.block.1.conc_se_layers.0.fc2.bias").values);
  EXPECT_FALSE(weights->blocks[3].expansion.has_value());
  EXPECT_FALSE(weights->blocks[6].squeeze_excite.has_value());
}

struct PublishedNetwork {
  double width;
  HeadKind head;
  int last_channels;
  int hidden_channels;
};

class PublishedNetworkTest : public testing::TestWithParam<PublishedNetwork> {};

// Through the file format, as a published checkpoint would come.
TEST_P(PublishedNetworkTest, IsReadOffTheShapes) {
  const PublishedNetwork& published = GetParam();
  auto checkpoint = ParseCheckpoint(SeededCheckpoint(published.width, published.head), "seeded.pt");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const auto weights = MakeNetworkWeights(*checkpoint, "seeded.pt");
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->width, published.width);
  EXPECT_EQ(weights->head, published.head);
  EXPECT_EQ(weights->sha256, checkpoint->sha256);
  EXPECT_EQ(weights->shape.last_channels, published.last_channels);
  EXPECT_EQ(weights->last.weight.size(), static_cast<size_t>(published.last_channels) * published.last_channels / 6);
  EXPECT_EQ(weights->hidden_layer.out_channels, published.hidden_channels);
  EXPECT_EQ(weights->class_layer.weight.size(),
            static_cast<size_t>(kAudioSetClassCount) *
                (published.head == HeadKind::kMlp ? published.hidden_channels : published.last_channels));
}

INSTANTIATE_TEST_SUITE_P(AllWidths, PublishedNetworkTest,
                         testing::Values(PublishedNetwork{0.1, HeadKind::kMlp, 96, 128},
                                         PublishedNetwork{0.2, HeadKind::kMlp, 192, 256},
                                         PublishedNetwork{0.4, HeadKind::kMlp, 384, 512},
                                         PublishedNetwork{0.5, HeadKind::kMlp, 480, 640},
                                         PublishedNetwork{1.0, HeadKind::kMlp, 960, 1280},
                                         PublishedNetwork{1.0, HeadKind::kFullyConvolutional, 960, 0},
                                         PublishedNetwork{2.0, HeadKind::kMlp, 1920, 2560},
                                         PublishedNetwork{3.0, HeadKind::kMlp, 2880, 3840},
                                         PublishedNetwork{4.0, HeadKind::kMlp, 3840, 5120}));

TEST(NetworkWeightsTest, RefusesAMissingTensorByName) {
  Checkpoint checkpoint = SeededMn01();
  checkpoint.tensors.erase("features.7.block.1.1.running_mean");
  EXPECT_THAT(Refusal(checkpoint), HasSubstr("tensor features.7.block.1.1.running_mean of shape [24] is missing in a "
                                             "network of width 0.1"));
  for (const auto& [name, tensor] : SeededMn01().tensors) {
    Checkpoint without = SeededMn01();
    without.tensors.erase(name);
    EXPECT_THAT(Refusal(without), AllOf(HasSubstr(name), HasSubstr("missing")));
  }
}

TEST(NetworkWeightsTest, ReadsTheNumberOfClassesOffTheShapes) {
  for (const HeadKind head : {HeadKind::kMlp, HeadKind::kFullyConvolutional}) {
    const auto weights = MakeNetworkWeights(ToCheckpoint(SeededTensors(0.1, head, 1, 10)), "test.pt");
    ASSERT_TRUE(weights.ok()) << weights.status();
    EXPECT_EQ(weights->shape.class_count, 10);
    EXPECT_EQ(weights->class_layer.out_channels, 10);
    EXPECT_EQ(weights->class_layer.bias.size(), 10u);
  }
  Checkpoint checkpoint = SeededMn01();
  checkpoint.tensors["classifier.5.weight"].shape = {0, 128};
  EXPECT_THAT(Refusal(checkpoint),
              HasSubstr("tensor classifier.5.weight has shape [0, 128]; its first number is that of "
                        "the classes, 1 to 10000"));
  checkpoint = SeededMn01();
  checkpoint.tensors["classifier.5.bias"] = {{10}, std::vector<float>(10)};
  EXPECT_THAT(Refusal(checkpoint), HasSubstr("tensor classifier.5.bias has shape [10] instead of [527]"));
}

TEST(NetworkWeightsTest, RefusesAWrongShapeAndGivesBoth) {
  Checkpoint checkpoint = SeededMn01();
  checkpoint.tensors["features.4.block.0.0.weight"] = {{8, 1, 3, 3}, std::vector<float>(72)};
  EXPECT_THAT(Refusal(checkpoint), HasSubstr("tensor features.4.block.0.0.weight has shape [8, 1, 3, 3] instead of "
                                             "[8, 1, 5, 5] in a network of width 0.1"));
}

TEST(NetworkWeightsTest, RefusesAnUnknownTensor) {
  Checkpoint checkpoint = SeededMn01();
  checkpoint.tensors["classifier.6.weight"] = {{2, 3}, std::vector<float>(6)};
  EXPECT_THAT(Refusal(checkpoint), HasSubstr("tensor 'classifier.6.weight' of shape [2, 3] is not known"));
}

TEST(NetworkWeightsTest, RefusesForeignNetworks) {
  EXPECT_THAT(Refusal({}), HasSubstr("features.16.0.weight is missing: not a network of EfficientAT's"));
  Checkpoint odd_width = SeededMn01();
  odd_width.tensors["features.16.0.weight"] = {{100, 17, 1, 1}, std::vector<float>(1700)};
  EXPECT_THAT(Refusal(odd_width), HasSubstr("has shape [100, 17, 1, 1], which no width from 0.1 to 4.0 has"));
  Checkpoint headless = SeededMn01();
  std::erase_if(headless.tensors, [](const auto& named) { return named.first.starts_with("classifier"); });
  EXPECT_THAT(Refusal(headless), HasSubstr("has no head"));
}

TEST(NetworkWeightsTest, RefusesValuesThatAreNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Checkpoint checkpoint = SeededMn01();
    checkpoint.tensors["classifier.5.bias"].values.back() = -bad;
    EXPECT_THAT(Refusal(checkpoint), HasSubstr("tensor classifier.5.bias holds a value that is not finite"));
  }
}

TEST(NetworkWeightsTest, RefusesANegativeVariance) {
  Checkpoint checkpoint = SeededMn01();
  checkpoint.tensors["features.0.1.running_var"].values[3] = -0.5f;
  EXPECT_THAT(Refusal(checkpoint), HasSubstr("tensor features.0.1.running_var holds the negative variance -0.5"));
}

TEST(NetworkWeightsTest, RefusesWeightsThatOverflowWhenFolded) {
  Checkpoint checkpoint = SeededMn01();
  checkpoint.tensors["features.0.1.weight"].values[0] = 3e38f;
  checkpoint.tensors["features.0.0.weight"].values[0] = 3e38f;
  EXPECT_THAT(Refusal(checkpoint), HasSubstr("features.0.0.weight overflows"));
}

TEST(NetworkWeightsTest, LoadsEveryGoldenCheckpoint) {
  HEARWIRE_SKIP_WITHOUT_SHARED_DATA();
  int loaded = 0;
  for (const auto& file : std::filesystem::directory_iterator(SharedDataDir() + "/golden/checkpoints")) {
    const std::string name = file.path().filename();
    const auto checkpoint = LoadCheckpoint(file.path());
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    const auto weights = MakeNetworkWeights(*checkpoint, name);
    ASSERT_TRUE(weights.ok()) << weights.status();
    const NetworkInfo* network =
        FindNetwork(name.substr(0, name.find(name.ends_with("_seeded.pt") ? "_seeded" : "_mAP")));
    ASSERT_NE(network, nullptr) << name;
    EXPECT_EQ(weights->width, network->width) << name;
    EXPECT_EQ(weights->head, network->head) << name;
    if (name == network->published_file) {
      EXPECT_EQ(weights->sha256, network->sha256) << name;
    }
    ++loaded;
  }
  EXPECT_GE(loaded, 6);
}

}  // namespace
}  // namespace hearwire
