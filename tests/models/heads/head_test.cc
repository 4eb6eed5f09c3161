#include "models/heads/head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "models/heads/head_scores.h"
#include "tests/fixtures/head_file.h"

namespace hearwire {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// What a head of 6 values, a layer of 5 and 4 labels is refused with when it is changed like this.
std::string Refused(const std::function<void(HeadFile&)>& change) {
  HeadFile file = MakeHeadFile("mn10_as", {6, 5, 4});
  change(file);
  const absl::StatusOr<Head> head = ParseHead(file.Bytes(), "bad");
  EXPECT_EQ(head.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(head.status().message());
}
std::string RefusedMetadata(const std::string& key, const std::string& value) {
  return Refused([&](HeadFile& file) { file.metadata[key] = value; });
}

TEST(HeadTest, IsReadWhole) {
  HeadFile file = MakeHeadFile("mn10_as", {6, 5, 4});
  file.metadata["kind"] = "timestamps";
  file.metadata["activation"] = "gelu";
  file.metadata["output"] = "sigmoid";
  file.metadata["labels"] = R"(["a", "b", "ü", "d"])";
  file.metadata["precision"] = "float32";
  file.metadata["task"] = "my task";
  const absl::StatusOr<Head> head = ParseHead(file.Bytes(), "birds-2.v1");
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->name, "birds-2.v1");
  EXPECT_EQ(head->config, "mn10_as");
  EXPECT_EQ(head->kind, Head::Kind::kTimestamps);
  EXPECT_EQ(head->activation, Head::Activation::kGelu);
  EXPECT_TRUE(head->multi_label());
  EXPECT_THAT(head->labels, ElementsAre("a", "b", "ü", "d"));
  EXPECT_EQ(head->embedding_size(), 6);
  ASSERT_EQ(head->layers.size(), 2u);
  EXPECT_EQ(head->layers[0].weight, file.tensors["0.weight"].values);
  EXPECT_EQ(head->layers[1].bias, file.tensors["1.bias"].values);
  EXPECT_EQ(head->layers[1].in_channels, 5);
  EXPECT_EQ(head->mean.size(), 6u);
  EXPECT_EQ(head->inverse_scale[3], 1.0 / file.tensors["scale"].values[3]);
  EXPECT_EQ(head->frontend, "");
  EXPECT_EQ(head->precision, "float32");
  EXPECT_EQ(head->metadata.at("task"), "my task");
  EXPECT_EQ(head->sha256.size(), 64u);
}

TEST(HeadTest, NeedsNeitherStandardisationNorAnActivationOfOneLayer) {
  HeadFile file = MakeHeadFile("mn10_as", {6, 4});
  file.tensors.erase("mean");
  file.tensors.erase("scale");
  file.metadata.erase("activation");
  const absl::StatusOr<Head> head = ParseHead(file.Bytes(), "plain");
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_THAT(head->mean, IsEmpty());
  EXPECT_FALSE(head->multi_label());
}

TEST(HeadTest, NeedsOnlyOneOfMeanAndScale) {
  for (const char* missing : {"mean", "scale"}) {
    HeadFile file = MakeHeadFile("mn10_as", {6, 4});
    file.tensors.erase(missing);
    const absl::StatusOr<Head> head = ParseHead(file.Bytes(), "half");
    ASSERT_TRUE(head.ok()) << head.status();
    const bool no_mean = missing == std::string("mean");
    EXPECT_EQ(head->mean[3], no_mean ? 0.0 : double{file.tensors["mean"].values[3]});
    EXPECT_EQ(head->inverse_scale[3], no_mean ? 1.0 / double{file.tensors["scale"].values[3]} : 1.0);
  }
}

TEST(HeadTest, TakesOneSigmoidForTwoLabels) {
  HeadFile file = MakeHeadFile("mn10_as", {6, 1});
  file.metadata["labels"] = R"(["no", "yes"])";
  EXPECT_THAT(ParseHead(file.Bytes(), "binary").status().message(), HasSubstr("two labels for the sigmoid of one"));
  file.metadata["output"] = "sigmoid";
  const absl::StatusOr<Head> head = ParseHead(file.Bytes(), "binary");
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->output, Head::Output::kBinarySigmoid);
  EXPECT_FALSE(head->multi_label());
}

TEST(HeadTest, RefusesMetadataThatIsMissing) {
  for (const char* key : {"format", "config", "kind", "activation", "output", "labels", "weights_sha256"}) {
    EXPECT_THAT(Refused([&](HeadFile& file) { file.metadata.erase(key); }),
                AllOf(HasSubstr(key), HasSubstr("missing; it must be")));
  }
}

TEST(HeadTest, RefusesMetadataThatIsNotKnown) {
  EXPECT_THAT(RefusedMetadata("format", "hearwire.head.v2"), HasSubstr("must be 'hearwire.head.v1'"));
  EXPECT_THAT(RefusedMetadata("kind", "clip"), HasSubstr("'clip'; it must be 'scene' or 'timestamps'"));
  EXPECT_THAT(RefusedMetadata("activation", "tanh"), HasSubstr("must be 'relu' or 'hardswish' or 'gelu'"));
  EXPECT_THAT(RefusedMetadata("output", "none"), HasSubstr("must be 'softmax' or 'sigmoid'"));
  EXPECT_THAT(RefusedMetadata("weights_sha256", "ABC"), HasSubstr("64 hexadecimal digits"));
}

TEST(HeadTest, RefusesAnActivationThatIsNotKnownOfOneLayerToo) {
  HeadFile file = MakeHeadFile("mn10_as", {6, 4});
  for (const char* known : {"relu", "hardswish", "gelu"}) {
    file.metadata["activation"] = known;
    EXPECT_TRUE(ParseHead(file.Bytes(), "one").ok()) << known;
  }
  file.metadata["activation"] = "tanh";
  EXPECT_THAT(ParseHead(file.Bytes(), "one").status().message(),
              HasSubstr("activation is 'tanh'; it must be 'relu' or 'hardswish' or 'gelu'"));
}

TEST(HeadTest, RefusesLabelsThatControlWhoShowsThem) {
  for (const char* bad : {"\\n", "\\u001b[31mred", "a\\u0000b", "\\t", "\\u007f", "\\u0080", "\\u009b31m", "\\u2028",
                          "\\u202e", "\\u2066"}) {
    const std::string labels = std::string("[\"a\", \"b\", \"") + bad + "\", \"d\"]";
    EXPECT_THAT(RefusedMetadata("labels", labels), AllOf(HasSubstr("label 2 is '"), HasSubstr("must be printable")))
        << bad;
  }
  HeadFile file = MakeHeadFile("mn10_as", {6, 5, 4});
  file.metadata["labels"] = R"(["\u00a0 chat", "\u2027…", "犬", "🐕"])";
  EXPECT_TRUE(ParseHead(file.Bytes(), "well").ok()) << ParseHead(file.Bytes(), "well").status();
}

TEST(HeadTest, RefusesLabelsThatAreNoList) {
  EXPECT_THAT(RefusedMetadata("labels", "a, b"), HasSubstr("must be a JSON list"));
  EXPECT_THAT(RefusedMetadata("labels", "[]"), HasSubstr("must be a JSON list"));
  EXPECT_THAT(RefusedMetadata("labels", R"({"a": 1})"), HasSubstr("must be a JSON list"));
  EXPECT_THAT(RefusedMetadata("labels", R"(["a", 2, "c", "d"])"), HasSubstr("label 1 is '2'"));
  EXPECT_THAT(RefusedMetadata("labels", R"(["a", "", "c", "d"])"), HasSubstr("label 1 is ''"));
  EXPECT_THAT(RefusedMetadata("labels", R"(["a", "b", "a", "d"])"), HasSubstr("label 'a' is there twice"));
}

TEST(HeadTest, RefusesAsManyLabelsAsThereAreNoLogits) {
  EXPECT_THAT(RefusedMetadata("labels", R"(["a", "b", "c"])"), HasSubstr("has 3 labels, and its last layer 4 values"));
  EXPECT_THAT(RefusedMetadata("labels", R"(["a", "b", "c", "d", "e"])"), HasSubstr("has 5 labels"));
  HeadFile one = MakeHeadFile("mn10_as", {6, 1});
  EXPECT_THAT(ParseHead(one.Bytes(), "one").status().message(), HasSubstr("one label and a softmax"));
  one.metadata["output"] = "sigmoid";
  EXPECT_TRUE(ParseHead(one.Bytes(), "one").ok());
}

TEST(HeadTest, RefusesTensorsThatAreMissing) {
  for (const char* name : {"0.weight", "0.bias", "1.bias", "1.weight"}) {
    EXPECT_THAT(Refused([&](HeadFile& file) { file.tensors.erase(name); }),
                AllOf(HasSubstr(name), HasSubstr("missing")));
  }
  // A hole in the layers: the second is not read, and said to be too many.
  EXPECT_THAT(Refused([](HeadFile& file) {
                auto moved = file.tensors.extract("1.weight");
                moved.key() = "2.weight";
                file.tensors.insert(std::move(moved));
                file.tensors.erase("1.bias");
              }),
              HasSubstr("has 4 labels, and its last layer 5"));
}

TEST(HeadTest, RefusesTensorsThatAreNotKnown) {
  EXPECT_THAT(Refused([](HeadFile& file) {
                file.tensors["2.running_mean"] = {{4}, {0, 0, 0, 0}};
              }),
              AllOf(HasSubstr("'2.running_mean'"), HasSubstr("none of a head's")));
}

TEST(HeadTest, RefusesShapesThatDoNotFitEachOther) {
  const auto with = [](const char* name, HeadFile::Values values) {
    return Refused([&](HeadFile& file) { file.tensors[name] = values; });
  };
  EXPECT_THAT(with("mean", {{5}, {0, 0, 0, 0, 0}}), HasSubstr("mean has 5 values and tensor scale 6"));
  EXPECT_THAT(with("1.weight", {{4, 3}, std::vector<float>(12)}),
              AllOf(HasSubstr("1.weight has the shape [4, 3]"), HasSubstr("must be [h, 5]")));
  EXPECT_THAT(with("0.weight", {{5, 7}, std::vector<float>(35)}),
              HasSubstr("must be [h, 6], as many as mean or scale"));
  EXPECT_THAT(with("0.bias", {{4}, {0, 0, 0, 0}}), AllOf(HasSubstr("0.bias has the shape [4]"), HasSubstr("[5]")));
  EXPECT_THAT(with("0.bias", {{5, 1}, {0, 0, 0, 0, 0}}), HasSubstr("one axis"));
  EXPECT_THAT(with("0.weight", {{30}, std::vector<float>(30)}), HasSubstr("two axes"));
  EXPECT_THAT(with("0.weight", {{0, 6}, {}}), HasSubstr("not empty"));
}

TEST(HeadTest, RefusesValuesThatAreNotFinite) {
  for (const char* name : {"0.weight", "0.bias", "1.weight", "1.bias", "mean", "scale"}) {
    for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                              -std::numeric_limits<float>::infinity()}) {
      EXPECT_THAT(Refused([&](HeadFile& file) { file.tensors[name].values.back() = value; }),
                  AllOf(HasSubstr(name), HasSubstr("not finite")));
    }
  }
}

TEST(HeadTest, RefusesAScaleThatIsNotAboveZero) {
  for (const float value : {0.0f, -0.0f, -1.0f}) {
    EXPECT_THAT(Refused([&](HeadFile& file) { file.tensors["scale"].values[2] = value; }), HasSubstr("above 0"));
  }
}

TEST(HeadTest, RefusesScoresThatCouldOverflow) {
  HeadFile file = MakeHeadFile("mn10_as", {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2});
  ASSERT_TRUE(ParseHead(file.Bytes(), "deep").ok());
  for (auto& [name, tensor] : file.tensors) {
    if (name.ends_with(".weight")) tensor.values.assign(4, 3e38f);
  }
  EXPECT_THAT(ParseHead(file.Bytes(), "deep").status().message(), HasSubstr("could overflow"));
}

TEST(HeadTest, HasANameOfFewCharacters) {
  for (const char* name : {"a", "7", "esc50", "Birds_of-2026.v2", "a.safetensors", "-a", "_"})
    EXPECT_TRUE(IsHeadName(name)) << name;
  for (const char* name : {"", ".", ".a", "a b", "a/b", "ü", "a\n", "a\"", "a,b"})
    EXPECT_FALSE(IsHeadName(name)) << name;
}

TEST(HeadTest, IsLoadedFromAFileThatMessagesName) {
  std::string folder = (fs::temp_directory_path() / "hearwire-head-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/a.safetensors";
  const auto message = [&] { return std::string(LoadHead(path, "a").status().message()); };
  EXPECT_EQ(LoadHead(path, "a").status().code(), absl::StatusCode::kNotFound);
  std::ofstream(path, std::ios::binary) << MakeHeadFile("mn10_as", {6, 4}).Bytes();
  EXPECT_TRUE(LoadHead(path, "a").ok());
  std::ofstream(path, std::ios::binary | std::ios::app) << "more";
  EXPECT_THAT(message(), AllOf(StartsWith(path + ": "), HasSubstr("belong to no tensor")));
  fs::resize_file(path, (256 << 20) + 1);  // A sparse file.
  EXPECT_THAT(message(), AllOf(StartsWith(path), HasSubstr("a head has at most 268435456")));
  fs::remove(path);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(message(), AllOf(StartsWith(path), HasSubstr("not a regular file")));
  fs::remove(path);
  fs::create_directory(path);
  EXPECT_THAT(message(), AllOf(StartsWith(path), HasSubstr("not a regular file")));
  fs::remove_all(folder);
}

// Whatever is done to a file, it is refused or answers, and the sanitizers see nothing.
TEST(HeadTest, SurvivesDamage) {
  HeadFile file = MakeHeadFile("mn10_as", {6, 5, 4});
  const std::string whole = file.Bytes();
  std::mt19937 random(5);
  int read = 0;
  for (int round = 0; round < 10000; ++round) {
    std::string damaged = whole;
    // A digit of the header or a byte of the numbers: most of these leave the JSON whole.
    const size_t at = random() % whole.size();
    if (at >= 8 && std::isdigit(static_cast<unsigned char>(whole[at])) != 0) {
      damaged[at] = static_cast<char>('0' + random() % 10);
    } else {
      damaged[at] = static_cast<char>(random());
    }
    const absl::StatusOr<Head> head = ParseHead(damaged, "damaged");
    if (!head.ok()) {
      EXPECT_EQ(head.status().code(), absl::StatusCode::kInvalidArgument);
      continue;
    }
    ++read;
    const auto size = static_cast<size_t>(head->embedding_size());
    const std::vector<float> embedding(size, 0.5f);
    std::vector<float> scores(head->labels.size());
    HeadWorkspace workspace;
    ComputeHeadScores(*head, {embedding.data(), 1, size}, &workspace, absl::MakeSpan(scores));
    for (const float score : scores) EXPECT_TRUE(score >= 0 && score <= 1) << score;
  }
  EXPECT_GT(read, 1000);
}

}  // namespace
}  // namespace hearwire
