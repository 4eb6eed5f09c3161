#include "models/heads/head_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tests/fixtures/head_file.h"

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::Pointwise;

Head Parse(const HeadFile& file) {
  const absl::StatusOr<Head> head = ParseHead(file.Bytes(), "test");
  EXPECT_TRUE(head.ok()) << head.status();
  return head.value_or(Head());
}

std::vector<float> Scores(const Head& head, const std::vector<float>& embedding) {
  HeadWorkspace workspace;
  std::vector<float> scores(head.labels.size(), -1);
  ComputeHeadScores(head, {embedding.data(), 1, embedding.size()}, &workspace, absl::MakeSpan(scores));
  return scores;
}

std::vector<float> RandomEmbedding(int size, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.1f, 1.5f);
  std::vector<float> embedding(static_cast<size_t>(size));
  for (float& value : embedding) value = normal(random);
  return embedding;
}

// As the file says, value by value in long double, whose sums are exact to far more than a float's digits.
std::vector<long double> ReferenceLogits(HeadFile& file, const std::vector<float>& embedding) {
  std::vector<long double> x(embedding.begin(), embedding.end());
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = (x[i] - file.tensors["mean"].values[i]) / static_cast<long double>(file.tensors["scale"].values[i]);
  }
  for (int layer = 0; file.tensors.contains(std::to_string(layer) + ".weight"); ++layer) {
    const HeadFile::Values& weight = file.tensors[std::to_string(layer) + ".weight"];
    const HeadFile::Values& bias = file.tensors[std::to_string(layer) + ".bias"];
    if (layer > 0) {
      for (long double& value : x) {
        const std::string& activation = file.metadata["activation"];
        if (activation == "relu") value = value > 0 ? value : 0;
        if (activation == "hardswish") value = value * std::min(std::max(value + 3, 0.0L), 6.0L) / 6;
        if (activation == "gelu") value = value * (1 + std::erf(value / std::sqrt(2.0L))) / 2;
      }
    }
    std::vector<long double> y(bias.values.begin(), bias.values.end());
    for (size_t row = 0; row < y.size(); ++row) {
      for (size_t i = 0; i < x.size(); ++i) y[row] += x[i] * weight.values[row * x.size() + i];
    }
    x = y;
  }
  return x;
}

TEST(HeadScoresTest, EqualTheFormulaToTheLastDigit) {
  for (const char* activation : {"relu", "hardswish", "gelu"}) {
    // Sizes that are no multiple of what vectors or rows are taken at once.
    for (const std::vector<int>& sizes : {std::vector<int>{3403, 50}, {1, 2}, {37, 64, 10}, {130, 33, 7, 3}}) {
      HeadFile file = MakeHeadFile("mn10_as", sizes, 5);
      file.metadata["activation"] = activation;
      const std::vector<float> embedding = RandomEmbedding(sizes.front(), 9);
      const std::vector<long double> logits = ReferenceLogits(file, embedding);
      long double sum = 0;
      for (const long double logit : logits) sum += std::exp(logit);
      std::vector<float> softmax;
      std::vector<float> sigmoid;
      for (const long double logit : logits) {
        softmax.push_back(static_cast<float>(std::exp(logit) / sum));
        sigmoid.push_back(static_cast<float>(1 / (1 + std::exp(-logit))));
      }
      EXPECT_THAT(Scores(Parse(file), embedding), Pointwise(FloatEq(), softmax)) << activation;
      file.metadata["output"] = "sigmoid";
      EXPECT_THAT(Scores(Parse(file), embedding), Pointwise(FloatEq(), sigmoid)) << activation;
    }
  }
}

TEST(HeadScoresTest, OfOneLogitAreTheSecondLabelsAndWhatIsLeft) {
  HeadFile file = MakeHeadFile("mn10_as", {2, 1});
  file.tensors["mean"].values = {1, 1};
  file.tensors["scale"].values = {2, 4};
  file.tensors["0.weight"].values = {1, 2};
  file.tensors["0.bias"].values = {-1};
  file.metadata["labels"] = R"(["no", "yes"])";
  file.metadata["output"] = "sigmoid";
  // (3 - 1) / 2 x 1 + (5 - 1) / 4 x 2 - 1 = 2
  const float yes = static_cast<float>(1 / (1 + std::exp(-2.0)));
  EXPECT_THAT(Scores(Parse(file), {3, 5}), ElementsAre(FloatEq(1 - yes), FloatEq(yes)));
}

TEST(HeadScoresTest, AreFiniteForEveryEmbedding) {
  const float most = std::numeric_limits<float>::max();
  HeadFile file = MakeHeadFile("mn10_as", {2, 2});
  file.tensors["0.weight"].values = {most, most, -most, -most};
  for (const char* output : {"softmax", "sigmoid"}) {
    file.metadata["output"] = output;
    EXPECT_THAT(Scores(Parse(file), {most, most}), ElementsAre(1, 0));
    EXPECT_THAT(Scores(Parse(file), {-most, -most}), ElementsAre(0, 1));
  }
}

TEST(HeadScoresTest, AreTheSameInAnyCompany) {
  constexpr int kSize = 75;
  constexpr size_t kStride = 81;  // Other values lie between the embeddings.
  for (const std::vector<int>& sizes : {std::vector<int>{kSize, 7}, {kSize, 33, 6}}) {
    const Head head = Parse(MakeHeadFile("mn10_as", sizes));
    for (const size_t count : {1, 2, 3, 4, 5, 8, 9, 23}) {
      const std::vector<float> rows = RandomEmbedding(static_cast<int>(count * kStride), 3);
      std::vector<float> scores(count * head.labels.size());
      HeadWorkspace workspace;
      ComputeHeadScores(head, {rows.data(), count, kStride}, &workspace, absl::MakeSpan(scores));
      for (size_t k = 0; k < count; ++k) {
        const auto row = rows.begin() + static_cast<std::ptrdiff_t>(k * kStride);
        const auto first = scores.begin() + static_cast<std::ptrdiff_t>(k * head.labels.size());
        EXPECT_EQ(std::vector<float>(first, first + static_cast<std::ptrdiff_t>(head.labels.size())),
                  Scores(head, std::vector<float>(row, row + kSize)))
            << k << " of " << count;
      }
    }
  }
}

TEST(HeadScoresTest, ShareAWorkspaceThatStopsGrowing) {
  const Head small = Parse(MakeHeadFile("mn10_as", {3, 2}));
  const Head large = Parse(MakeHeadFile("mn10_as", {300, 64, 128, 10}));
  const std::vector<float> small_embedding = RandomEmbedding(3, 1);
  const std::vector<float> large_embedding = RandomEmbedding(300, 2);
  HeadWorkspace workspace;
  std::vector<float> two(2);
  std::vector<float> ten(10);
  const auto score_both = [&] {
    ComputeHeadScores(small, {small_embedding.data(), 1, 3}, &workspace, absl::MakeSpan(two));
    ComputeHeadScores(large, {large_embedding.data(), 1, 300}, &workspace, absl::MakeSpan(ten));
  };
  for (int round = 0; round < 3; ++round) score_both();
  const size_t grown = workspace.input.capacity() + workspace.output.capacity();
  for (int round = 0; round < 5; ++round) score_both();
  EXPECT_EQ(workspace.input.capacity() + workspace.output.capacity(), grown);
  EXPECT_EQ(two, Scores(small, small_embedding));
  EXPECT_EQ(ten, Scores(large, large_embedding));
}

}  // namespace
}  // namespace hearwire
