#include "models/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "tests/fixtures/checkpoint_writer.h"

namespace hearwire {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Refusal(const std::string& bytes) {
  const auto checkpoint = ParseCheckpoint(bytes, "test.pt");
  if (checkpoint.ok()) return "not refused";
  EXPECT_EQ(checkpoint.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(checkpoint.status().message()), StartsWith("test.pt: "));
  return std::string(checkpoint.status().message());
}

// Records of a checkpoint with one tensor w of 6 values, as the pickle below describes it.
struct OneTensor {
  int storage_size = 6;
  int offset = 0;
  std::vector<int> shape = {2, 3};
  std::vector<int> strides = {3, 1};
  std::string type = "FloatStorage";
  std::string name = "w";
  int copies = 1;  // Names w, w1, w2, … for the same tensor.
  std::vector<float> values = {0, 1, 2, 3, 4, 5};

  std::string Bytes() const {
    const auto integer = [](int number) {
      return "J" + std::string(reinterpret_cast<const char*>(&number), sizeof(number));
    };
    const auto text = [&](const std::string& text) { return "X" + integer(text.size()).substr(1) + text; };
    const auto tuple = [&](const std::vector<int>& numbers) {
      std::string bytes = "(";
      for (const int number : numbers) bytes += integer(number);
      return bytes + "t";
    };
    std::string pickle = "\x80\x02}(" + text(name) + "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") +
                         "ctorch\n" + type + "\n" + text("7") + text("cpu") + integer(storage_size) + "tQ" +
                         integer(offset) + tuple(shape) + tuple(strides) + "\x89" +
                         "ccollections\nOrderedDict\n)RtRq\x01";
    for (int i = 1; i < copies; ++i) pickle += text(name + std::to_string(i)) + "h\x01";
    return WriteZip({{"net/data.pkl", pickle + "u."},
                     {"net/byteorder", "little"},
                     {"net/data/7", std::string(reinterpret_cast<const char*>(values.data()), 4 * values.size())}});
  }
};

std::vector<float> Values(const OneTensor& tensor) {
  const auto checkpoint = ParseCheckpoint(tensor.Bytes(), "test.pt");
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
  return checkpoint.ok() ? checkpoint->tensors.at("w").values : std::vector<float>();
}

TEST(CheckpointTest, HoldsTensorsByName) {
  const std::string bytes = OneTensor().Bytes();
  const auto checkpoint = ParseCheckpoint(bytes, "test.pt");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  ASSERT_EQ(checkpoint->tensors.size(), 1u);
  EXPECT_THAT(checkpoint->tensors.at("w").shape, ElementsAre(2, 3));
  EXPECT_THAT(checkpoint->tensors.at("w").values, ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(checkpoint->sha256.size(), 64u);
}

TEST(CheckpointTest, FollowsOffsetsAndStrides) {
  EXPECT_THAT(Values({.offset = 2, .shape = {2, 2}, .strides = {2, 1}}), ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(Values({.shape = {3, 2}, .strides = {1, 3}}), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(Values({.shape = {1, 3, 1}, .strides = {1000, 2, -0}}), ElementsAre(0, 2, 4));
  EXPECT_THAT(Values({.shape = {4}, .strides = {0}}), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(Values({.offset = 5, .shape = {}, .strides = {}}), ElementsAre(5));
  EXPECT_THAT(Values({.shape = {0, 3}, .strides = {3, 1}}), ElementsAre());
}

TEST(CheckpointTest, ReadsBothKindsOfDict) {
  const std::vector<NamedTensor> tensors = SeededTensors(0.1, HeadKind::kMlp);
  for (const PickledDict dict : {PickledDict::kPlain, PickledDict::kOrdered}) {
    const auto checkpoint = ParseCheckpoint(WriteZip(CheckpointRecords(tensors, dict, "any folder")), "test.pt");
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    size_t floats = 0;
    for (const NamedTensor& tensor : tensors) {
      if (tensor.name.ends_with(".num_batches_tracked")) continue;
      ++floats;
      const auto read = checkpoint->tensors.find(tensor.name);
      ASSERT_NE(read, checkpoint->tensors.end()) << tensor.name;
      EXPECT_EQ(read->second.shape, tensor.shape) << tensor.name;
      EXPECT_EQ(read->second.values, tensor.values) << tensor.name;
    }
    EXPECT_EQ(checkpoint->tensors.size(), floats);
  }
}

TEST(CheckpointTest, DropsBatchCountersButNoOtherLongTensor) {
  OneTensor counter = {.storage_size = 3, .shape = {}, .strides = {}, .type = "LongStorage"};
  EXPECT_THAT(Refusal(counter.Bytes()), HasSubstr("tensor 'w' in record 'net/data/7' holds 64-bit integers"));
  counter.name = "features.0.1.num_batches_tracked";
  const auto checkpoint = ParseCheckpoint(counter.Bytes(), "test.pt");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_TRUE(checkpoint->tensors.empty());
  counter.offset = 3;
  EXPECT_THAT(Refusal(counter.Bytes()), HasSubstr("beyond the 3 values"));
}

TEST(CheckpointTest, RefusesViewsThatLeaveTheirStorage) {
  const auto refusal = [](const OneTensor& tensor) { return Refusal(tensor.Bytes()); };
  EXPECT_THAT(refusal({.offset = 1}), AllOf(HasSubstr("tensor 'w' in record 'net/data/7' reaches beyond the 6 values"),
                                            HasSubstr("(shape [2, 3], strides [3, 1], offset 1)")));
  EXPECT_THAT(refusal({.offset = -1}), HasSubstr("negative offset"));
  EXPECT_THAT(refusal({.strides = {4, 1}}), HasSubstr("beyond"));
  EXPECT_THAT(refusal({.strides = {-3, 1}}), HasSubstr("negative size or stride"));
  EXPECT_THAT(refusal({.shape = {-2, -3}}), HasSubstr("negative size or stride"));
  EXPECT_THAT(refusal({.shape = {0, -3}}), HasSubstr("negative size or stride"));
  EXPECT_THAT(refusal({.shape = {7}, .strides = {0}}), HasSubstr("more values than the 6 of its storage"));
  EXPECT_THAT(refusal({.offset = 6, .shape = {}, .strides = {}}), HasSubstr("beyond"));
  constexpr int kHuge = 0x7fffffff;
  EXPECT_THAT(refusal({.shape = {2, 2, 2}, .strides = {kHuge, kHuge, kHuge}}), HasSubstr("more values"));
  EXPECT_THAT(refusal({.offset = kHuge, .shape = {2, 3}, .strides = {kHuge, kHuge}}), HasSubstr("beyond"));
}

TEST(CheckpointTest, RefusesShapesThatOverflow) {
  constexpr int kHuge = 0x7fffffff;
  EXPECT_THAT(Refusal(OneTensor{.shape = {kHuge, kHuge, kHuge, kHuge}, .strides = {0, 0, 0, 0}}.Bytes()),
              HasSubstr("more values than"));
  // 65536^4 is 0 modulo 2^64.
  EXPECT_THAT(Refusal(OneTensor{.shape = {65536, 65536, 65536, 65536}, .strides = {0, 0, 0, 0}}.Bytes()),
              HasSubstr("more values than"));
}

TEST(CheckpointTest, RefusesAStorageOfAnotherSizeThanItsRecord) {
  EXPECT_THAT(Refusal(OneTensor{.storage_size = 7}.Bytes()),
              HasSubstr("claims a storage of 7 values of 4 bytes; the record has 24 bytes"));
  EXPECT_THAT(Refusal(OneTensor{.storage_size = 0x7fffffff}.Bytes()), HasSubstr("the record has 24 bytes"));
  EXPECT_THAT(Refusal(OneTensor{.storage_size = -1}.Bytes()), HasSubstr("claims a storage of -1 values"));
}

TEST(CheckpointTest, RefusesTensorsThatOutgrowTheFile) {
  OneTensor shared = {.storage_size = 100000, .shape = {100000}, .strides = {1}, .copies = 2};
  shared.values.resize(100000);
  EXPECT_THAT(Refusal(shared.Bytes()), HasSubstr("tensor 'w1' in record 'net/data/7' shares its storage"));
}

TEST(CheckpointTest, RefusesMissingRecords) {
  std::vector<ZipRecord> records = CheckpointRecords(SeededTensors(0.1, HeadKind::kMlp));
  records.erase(records.begin() + 4);
  EXPECT_THAT(Refusal(WriteZip(records)), HasSubstr("tensor 'features.0.1.running_mean' in record 'archive/data/3' is "
                                                    "missing"));
  records.erase(records.begin());
  EXPECT_THAT(Refusal(WriteZip(records)), HasSubstr("without a record FOLDER/data.pkl"));
}

TEST(CheckpointTest, RefusesOtherArchives) {
  EXPECT_THAT(Refusal(WriteZip({})), HasSubstr("without a record FOLDER/data.pkl"));
  EXPECT_THAT(Refusal(WriteZip({{"word/document.xml", "<x/>"}})), HasSubstr("not a checkpoint"));
  EXPECT_THAT(Refusal(WriteZip({{"a/data.pkl", ""}, {"b/data.pkl", ""}})), HasSubstr("two records FOLDER/data.pkl"));
  EXPECT_THAT(Refusal(WriteZip({{"a/data.pkl", "\x80\x02N."}})),
              HasSubstr("record 'a/data.pkl': byte 3: the checkpoint is None"));
  EXPECT_THAT(Refusal(WriteZip({{"a/data.pkl", "\x80\x02}.", 8}})), HasSubstr("record 'a/data.pkl' is compressed"));
}

TEST(CheckpointTest, RefusesBigEndianNumbers) {
  EXPECT_THAT(Refusal(WriteZip({{"a/data.pkl", "\x80\x02}."}, {"a/byteorder", "big"}})),
              HasSubstr("record 'a/byteorder' says 'big'"));
}

class CheckpointFileTest : public testing::Test {
 protected:
  const std::string path_ = testing::TempDir() + "/checkpoint_test_" + std::to_string(getpid()) + ".pt";
  ~CheckpointFileTest() override { unlink(path_.c_str()); }
};

TEST_F(CheckpointFileTest, IsReadWhole) {
  std::ofstream(path_, std::ios::binary) << OneTensor().Bytes();
  const auto checkpoint = LoadCheckpoint(path_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->tensors.size(), 1u);
  EXPECT_EQ(checkpoint->sha256, ParseCheckpoint(OneTensor().Bytes(), "")->sha256);
}

TEST_F(CheckpointFileTest, IsNamedInRefusals) {
  EXPECT_EQ(LoadCheckpoint(path_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(LoadCheckpoint(path_).status().message()), HasSubstr(path_));
  std::ofstream(path_) << "";
  EXPECT_EQ(LoadCheckpoint(path_).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(LoadCheckpoint(path_).status().message()),
              AllOf(HasSubstr(path_), HasSubstr("not a zip archive")));
}

TEST_F(CheckpointFileTest, IsNoFolderPipeOrGiant) {
  EXPECT_THAT(std::string(LoadCheckpoint(testing::TempDir()).status().message()), HasSubstr("not a regular file"));
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(std::string(LoadCheckpoint(path_).status().message()), HasSubstr("not a regular file"));
  unlink(path_.c_str());
  std::ofstream(path_) << "x";
  ASSERT_EQ(truncate(path_.c_str(), off_t{1} << 40), 0);  // Sparse.
  EXPECT_THAT(std::string(LoadCheckpoint(path_).status().message()), HasSubstr("a checkpoint has at most"));
}

}  // namespace
}  // namespace hearwire
