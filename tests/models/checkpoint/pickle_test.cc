#include "models/checkpoint/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fixtures/checkpoint_writer.h"

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::string_literals;

// Pieces of hand-made pickles.
const std::string kProto = "\x80\x02"s;
std::string Text(const std::string& text) {
  std::string bytes = "X0000" + text;
  const uint32_t size = static_cast<uint32_t>(text.size());
  std::memcpy(bytes.data() + 1, &size, sizeof(size));
  return bytes;
}
std::string Int(int32_t number) {
  std::string bytes = "J0000";
  std::memcpy(bytes.data() + 1, &number, sizeof(number));
  return bytes;
}
const std::string kHooks = "ccollections\nOrderedDict\n)R";
std::string Storage(const std::string& type = "FloatStorage", const std::string& size = Int(6)) {
  return "(" + Text("storage") + "ctorch\n" + type + "\n" + Text("0") + Text("cpu") + size + "tQ";
}
std::string Tensor(const std::string& storage = Storage(), const std::string& offset = Int(0),
                   const std::string& shape = Int(2) + Int(3) + "\x86",
                   const std::string& strides = Int(3) + Int(1) + "\x86", const std::string& rest = "\x89" + kHooks) {
  return "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + offset + shape + strides + rest + "tR";
}
std::string Dict(const std::string& items) { return kProto + "}(" + items + "u."; }

std::string Refusal(const std::string& pickle) {
  const auto tensors = ReadTensorPickle(pickle);
  if (tensors.ok()) return "not refused";
  EXPECT_EQ(tensors.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(tensors.status().message());
}

TEST(PickleTest, DescribesTensorsInTheirOrder) {
  const std::string pickle =
      Dict(Text("w") + Tensor() + Text("n") + Tensor(Storage("LongStorage", Int(1)), Int(0), ")", ")"));
  const auto tensors = ReadTensorPickle(pickle);
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 2u);
  const PickledTensor& w = (*tensors)[0];
  EXPECT_EQ(w.name, "w");
  EXPECT_EQ(w.storage_key, "0");
  EXPECT_EQ(w.storage_size, 6);
  EXPECT_FALSE(w.is_long);
  EXPECT_EQ(w.offset, 0);
  EXPECT_THAT(w.shape, ElementsAre(2, 3));
  EXPECT_THAT(w.strides, ElementsAre(3, 1));
  EXPECT_EQ((*tensors)[1].name, "n");
  EXPECT_TRUE((*tensors)[1].is_long);
  EXPECT_THAT((*tensors)[1].shape, ElementsAre());
}

TEST(PickleTest, AcceptsAnOrderedDictWithMetadata) {
  const std::string metadata = "}" + Text("_metadata") + kHooks + Text("") + "}" + Text("version") + "K\x01sss";
  const auto tensors = ReadTensorPickle(kProto + kHooks + "(" + Text("w") + Tensor() + "u" + metadata + "b.");
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_EQ(tensors->size(), 1u);
}

TEST(PickleTest, SharesWhatIsRemembered) {
  const std::string pickle = Dict(Text("a") + Tensor() + "r" + Int(7).substr(1) + Text("b") + "h\x07");
  const auto tensors = ReadTensorPickle(pickle);
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 2u);
  EXPECT_EQ((*tensors)[1].name, "b");
  EXPECT_THAT((*tensors)[1].shape, ElementsAre(2, 3));
}

TEST(PickleTest, RefusesForeignGlobalsByName) {
  EXPECT_THAT(Refusal(kProto + "cos\nsystem\n" + Text("rm -rf /") + "\x85R."),
              HasSubstr("asks for 'system' of 'os'; a checkpoint may ask only for collections.OrderedDict"));
  EXPECT_THAT(Refusal(kProto + "cbuiltins\neval\n."), HasSubstr("'eval' of 'builtins'"));
  EXPECT_THAT(Refusal(kProto + "ctorch\nHalfStorage\n."), HasSubstr("'HalfStorage' of 'torch'"));
  EXPECT_THAT(Refusal(kProto + "ctorch._utils\n_rebuild_parameter\n."), HasSubstr("'_rebuild_parameter'"));
  EXPECT_THAT(Refusal(kProto + "c\x1b[2J\nx\n."), HasSubstr("'\\x1b[2J'"));
  EXPECT_LT(Refusal(kProto + "c" + std::string(100000, 'a') + "\nb\n.").size(), 1000u);
}

TEST(PickleTest, RefusesOpcodesThatCheckpointsDoNotUse) {
  EXPECT_THAT(Refusal(kProto + "\x93."), HasSubstr("byte 2: opcode 0x93 is none"));  // STACK_GLOBAL
  EXPECT_THAT(Refusal(kProto + "(ios\nsystem\n."), HasSubstr("opcode 0x69"));        // INST
  EXPECT_THAT(Refusal(kProto + "\x81."), HasSubstr("opcode 0x81"));                  // NEWOBJ
  EXPECT_THAT(Refusal(kProto + "]."), HasSubstr("opcode 0x5d"));                     // EMPTY_LIST
  EXPECT_THAT(Refusal("\x80\x05}."), HasSubstr("protocol is 5"));
}

TEST(PickleTest, RefusesCallsOfAnythingElse) {
  EXPECT_THAT(Refusal(kProto + Text("os") + ")R."), HasSubstr("what is called is text"));
  EXPECT_THAT(Refusal(kProto + "ctorch\nFloatStorage\n)R."), HasSubstr("what is called is the type FloatStorage"));
  EXPECT_THAT(Refusal(kProto + "ccollections\nOrderedDict\nN\x85R."), HasSubstr("made with 1 arguments"));
  EXPECT_THAT(Refusal(kProto + "ccollections\nOrderedDict\n}R."), HasSubstr("what holds arguments is a dict"));
  EXPECT_THAT(Refusal(kProto + "ctorch._utils\n_rebuild_tensor_v2\n)R."), HasSubstr("0 arguments instead of 6"));
}

TEST(PickleTest, RefusesAttributesOfAnythingElse) {
  EXPECT_THAT(Refusal(kProto + "}}b."), HasSubstr("only an OrderedDict"));
  EXPECT_THAT(Refusal(kProto + kHooks + "}" + Text("__class__") + "Nsb."), HasSubstr("no attribute but _metadata"));
  EXPECT_THAT(Refusal(kProto + kHooks + "Nb."), HasSubstr("what holds attributes is None"));
}

TEST(PickleTest, RefusesMalformedTensors) {
  EXPECT_THAT(Refusal(Dict(Text("w") + Tensor("N"))), HasSubstr("a tensor's storage is None"));
  EXPECT_THAT(Refusal(Dict(Text("w") + Tensor(Storage(), "N"))), HasSubstr("a tensor's offset is None"));
  EXPECT_THAT(Refusal(Dict(Text("w") + Tensor(Storage(), Int(0), "N"))), HasSubstr("a tensor's shape is None"));
  EXPECT_THAT(Refusal(Dict(Text("w") + Tensor(Storage(), Int(0), Text("a") + "\x85"))),
              HasSubstr("a tensor's shape is text"));
  EXPECT_THAT(Refusal(Dict(Text("w") + Tensor(Storage(), Int(0), Int(6) + "\x85"))), HasSubstr("1 axes and 2 strides"));
  EXPECT_THAT(Refusal(Dict(Text("w") + Tensor(Storage(), Int(0), "(" + std::string(1000, 'N') + "t"))),
              HasSubstr("1000 axes"));
  const std::string shape = Int(6) + "\x85";
  EXPECT_THAT(Refusal(Dict(Text("w") + Tensor(Storage(), Int(0), shape, shape, "N" + kHooks))),
              HasSubstr("requires_grad is None"));
  EXPECT_THAT(Refusal(Dict(Text("w") + Tensor(Storage(), Int(0), shape, shape, "\x89}"))), HasSubstr("has hooks"));
  EXPECT_THAT(Refusal(Dict(Text("w") + Tensor("NQ"))), HasSubstr("a storage is no tuple of 5"));
  EXPECT_THAT(Refusal(Dict(Text("w") + Tensor("(" + Text("module") + "NNNNtQ"))), HasSubstr("a storage's first word"));
}

TEST(PickleTest, RefusesWhatIsNoDictOfTensors) {
  EXPECT_THAT(Refusal(kProto + "N."), HasSubstr("the checkpoint is None"));
  EXPECT_THAT(Refusal(Dict(Text("w") + "K\x01")), HasSubstr("the value of 'w' is an integer"));
  EXPECT_THAT(Refusal(Dict(Text("model") + "}")), HasSubstr("the value of 'model' is a dict"));
  EXPECT_THAT(Refusal(Dict("K\x01" + Tensor())), HasSubstr("a tensor's name is an integer"));
  EXPECT_THAT(Refusal(Dict(Text("w") + Tensor() + Text("w") + Tensor())), HasSubstr("tensor 'w' is there twice"));
  EXPECT_THAT(Refusal(kProto + "}}."), HasSubstr("ends with 2 values"));
  EXPECT_THAT(Refusal(kProto + "}(."), HasSubstr("ends with 1 values"));
  EXPECT_THAT(Refusal(kProto + "}.x"), HasSubstr("its record goes on"));
}

TEST(PickleTest, RefusesABrokenStackOrMemo) {
  EXPECT_THAT(Refusal(kProto + "."), HasSubstr("ends with 0 values"));
  EXPECT_THAT(Refusal(kProto + "R."), HasSubstr("needs 2 values and finds 0"));
  EXPECT_THAT(Refusal(kProto + "NN(R."), HasSubstr("needs 2 values and finds 0"));
  EXPECT_THAT(Refusal(kProto + "t."), HasSubstr("needs a mark"));
  EXPECT_THAT(Refusal(kProto + "}(Nu."), HasSubstr("key without a value"));
  EXPECT_THAT(Refusal(kProto + "N(NNu."), HasSubstr("what items are put into is None"));
  EXPECT_THAT(Refusal(kProto + "(NNu."), HasSubstr("no dict"));
  EXPECT_THAT(Refusal(kProto + "q\x01."), HasSubstr("no value to remember"));
  EXPECT_THAT(Refusal(kProto + "h\x01."), HasSubstr("nothing was remembered as 1"));
  EXPECT_THAT(Refusal(kProto + "}r\xff\xff\xff\x7f."), HasSubstr("memo index 2147483647"));
  EXPECT_THAT(Refusal(kProto + "}j\xff\xff\xff\xff."), HasSubstr("nothing was remembered as 4294967295"));
}

TEST(PickleTest, RefusesHugeTexts) {
  EXPECT_THAT(Refusal(kProto + "X\xff\xff\xff\xffx."), HasSubstr("truncated"));
  EXPECT_THAT(Refusal(kProto + "c" + std::string(100, 'x')), HasSubstr("the name of a global has no end"));
  EXPECT_THAT(Refusal(std::string(2 << 20, 'N')), HasSubstr("the pickle has 2097152 bytes"));
}

TEST(PickleTest, RefusesACycleWithoutFollowingIt) {
  // A dict that is its own value; a tuple's turn comes too late for it to hold itself.
  EXPECT_THAT(Refusal(kProto + "}q" + "\0"s + Text("self") + "h" + "\0"s + "s."),
              HasSubstr("the value of 'self' is a dict"));
}

TEST(PickleTest, SurvivesDeepNesting) {
  std::string pickle = kProto + "N";
  for (int i = 0; i < 500000; ++i) pickle += "\x85";
  EXPECT_THAT(Refusal(pickle + "."), HasSubstr("the checkpoint is a tuple"));
  EXPECT_THAT(Refusal(kProto + std::string(500000, '(') + "."), HasSubstr("ends with 0 values"));
}

// Every level names the one below twice: 2^400 values if they were copied.
TEST(PickleTest, SurvivesNestingThatDoubles) {
  std::string pickle = kProto + ")q" + "\0"s;
  for (int i = 0; i < 400; ++i) pickle += "h\0h\0\x86q\0"s;
  EXPECT_THAT(Refusal(pickle + "."), HasSubstr("ends with 401 values"));
}

TEST(PickleTest, RefusesEveryTruncation) {
  const std::string pickle = Dict(Text("w") + Tensor() + Text("v") + Tensor());
  ASSERT_TRUE(ReadTensorPickle(pickle).ok());
  for (size_t size = 0; size < pickle.size(); ++size) {
    EXPECT_FALSE(ReadTensorPickle(std::string_view(pickle).substr(0, size)).ok()) << size;
  }
}

TEST(PickleTest, SurvivesRandomOpcodes) {
  const std::vector<std::string> pieces = {"(",
                                           "N",
                                           "\x88",
                                           "\x89",
                                           "K\x03",
                                           "M\x03\x04",
                                           Int(-1),
                                           Text("storage"),
                                           Text("a"),
                                           kHooks,
                                           "Q",
                                           ")",
                                           "\x85",
                                           "\x86",
                                           "\x87",
                                           "t",
                                           "}",
                                           "s",
                                           "u",
                                           "R",
                                           "b",
                                           "q\x01",
                                           "h\x01",
                                           "q\x02",
                                           "h\x02",
                                           "ctorch\nFloatStorage\n",
                                           "ctorch\nLongStorage\n",
                                           "ctorch._utils\n_rebuild_tensor_v2\n",
                                           "ccollections\nOrderedDict\n",
                                           Storage(),
                                           Tensor()};
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string pickle = kProto + "}";
    const size_t length = random() % 30;
    for (size_t i = 0; i < length; ++i) pickle += pieces[random() % pieces.size()];
    accepted += ReadTensorPickle(pickle + ".").ok();
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 20000);
}

TEST(PickleTest, SurvivesFlippedBytes) {
  const std::string pickle = CheckpointRecords(SeededTensors(0.1, HeadKind::kMlp), PickledDict::kOrdered)[0].bytes;
  ASSERT_TRUE(ReadTensorPickle(pickle).ok());
  std::mt19937 random(8);
  int refused = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string flipped = pickle;
    flipped[random() % flipped.size()] ^= static_cast<char>(1 + random() % 255);
    refused += !ReadTensorPickle(flipped).ok();
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace hearwire
