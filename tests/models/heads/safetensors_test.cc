#include "models/heads/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/fixtures/head_file.h"

namespace hearwire {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

const std::string kEightBytes("\0\0\x80\x3f\0\0\0\x40", 8);  // 1, 2

// A file with this header and eight bytes of data.
std::string Refused(std::string_view header, std::string_view data = kEightBytes) {
  const absl::StatusOr<Safetensors> file = ParseSafetensors(WriteSafetensors(header, data));
  EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument) << header;
  return std::string(file.status().message());
}

std::string Entry(std::string_view shape, std::string_view offsets) {
  return std::string(R"({"a": {"dtype": "F32", "shape": )") + std::string(shape) + R"(, "data_offsets": )" +
         std::string(offsets) + "}}";
}

TEST(SafetensorsTest, ReadsTensorsAndMetadata) {
  // Blanks behind the header, as writers put them there for alignment; a tensor without values; one without axes.
  const std::string header =
      R"({"__metadata__": {"made by": "hand \u00e9"}, "b": {"dtype": "F32", "shape": [1, 1], "data_offsets": [4, 8]},)"
      R"( "none": {"dtype": "F32", "shape": [3, 0], "data_offsets": [4, 4]},)"
      R"( "a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}}   )";
  const absl::StatusOr<Safetensors> file = ParseSafetensors(WriteSafetensors(header, kEightBytes));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->metadata, ElementsAre(Pair("made by", "hand é")));
  ASSERT_EQ(file->tensors.size(), 3u);
  EXPECT_THAT(file->tensors.at("a").values, ElementsAre(1));
  EXPECT_THAT(file->tensors.at("a").shape, IsEmpty());
  EXPECT_THAT(file->tensors.at("b").values, ElementsAre(2));
  EXPECT_THAT(file->tensors.at("b").shape, ElementsAre(1, 1));
  EXPECT_THAT(file->tensors.at("none").values, IsEmpty());
}

TEST(SafetensorsTest, RefusesALengthThatLies) {
  EXPECT_THAT(ParseSafetensors("1234567").status().message(), HasSubstr("has 7 bytes"));
  std::string bytes = WriteSafetensors(Entry("[2]", "[0, 8]"), kEightBytes);
  ASSERT_TRUE(ParseSafetensors(bytes).ok());
  EXPECT_THAT(ParseSafetensors(bytes.substr(0, 20)).status().message(), HasSubstr("truncated"));
  // Of gigabytes: nothing of that size is ever asked for.
  for (const char high : {'\x01', '\x7f', '\xff'}) {
    bytes[7] = high;
    EXPECT_THAT(ParseSafetensors(bytes).status().message(), HasSubstr("at most 1048576"));
  }
}

TEST(SafetensorsTest, RefusesAHeaderOfMoreThanAMebibyte) {
  const std::string header = Entry("[2]", "[0, 8]");
  const std::string most = header + std::string((1 << 20) - header.size(), ' ');
  EXPECT_TRUE(ParseSafetensors(WriteSafetensors(most, kEightBytes)).ok());
  EXPECT_THAT(Refused(most + " "), HasSubstr("would have 1048577 bytes; at most 1048576"));
}

TEST(SafetensorsTest, RefusesWhatIsNoJsonObject) {
  EXPECT_THAT(Refused("no json"), HasSubstr("no JSON: byte 2"));
  EXPECT_THAT(Refused(""), HasSubstr("no JSON"));
  EXPECT_THAT(Refused("[1, 2]"), HasSubstr("no JSON object"));
  EXPECT_THAT(Refused(R"({"a": 1e999})"), HasSubstr("out of range"));
  EXPECT_THAT(Refused("{\"\xff\": 1}"), HasSubstr("no JSON"));
  EXPECT_THAT(Refused("{} {}"), HasSubstr("no JSON"));
}

TEST(SafetensorsTest, RefusesNamesThatAreThereTwice) {
  EXPECT_THAT(Refused(R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},)"
                      R"( "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})"),
              HasSubstr("the name 'a' twice"));
  EXPECT_THAT(Refused(R"({"__metadata__": {"k": "1", "k": "2"}})", ""), HasSubstr("the name 'k' twice"));
  EXPECT_THAT(Refused(R"({"a": {"dtype": "F32", "shape": [2], "shape": [2], "data_offsets": [0, 8]}})"),
              HasSubstr("the name 'shape' twice"));
}

TEST(SafetensorsTest, RefusesDepth) {
  EXPECT_THAT(Refused(Entry("[[2]]", "[0, 8]")), HasSubstr("nested"));
  EXPECT_THAT(Refused(std::string(1 << 20, '[')), HasSubstr("no JSON"));
  EXPECT_THAT(Refused(std::string(1 << 19, '[') + std::string(1 << 19, ']')), HasSubstr("nested"));
  std::string objects;
  while (objects.size() + 5 < (1 << 20)) objects += "{\"a\":";
  EXPECT_THAT(Refused(objects), HasSubstr("no JSON"));
}

TEST(SafetensorsTest, RefusesEntriesThatAreNone) {
  EXPECT_THAT(Refused(R"({"a": 3})"), HasSubstr("'a' must have a dtype, a shape and data_offsets"));
  EXPECT_THAT(Refused(R"({"a": {"dtype": "F32", "shape": [2]}})"), HasSubstr("must have"));
  EXPECT_THAT(Refused(R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], "more": 1}})"),
              HasSubstr("nothing else"));
  EXPECT_THAT(Refused(R"({"__metadata__": ["k"]})"), HasSubstr("no object of strings"));
  EXPECT_THAT(Refused(R"({"__metadata__": {"k": 1}})"), HasSubstr("metadata 'k' is no string"));
}

TEST(SafetensorsTest, RefusesOtherTypes) {
  for (const char* type : {"F16", "BF16", "F64", "I64", "BOOL", "f32"}) {
    EXPECT_THAT(Refused(std::string(R"({"a": {"dtype": ")") + type + R"(", "shape": [2], "data_offsets": [0, 8]}})"),
                AllOf(HasSubstr(type), HasSubstr("only F32")));
  }
  EXPECT_THAT(Refused(R"({"a": {"dtype": 32, "shape": [2], "data_offsets": [0, 8]}})"), HasSubstr("only F32"));
}

TEST(SafetensorsTest, RefusesPlacesOutsideTheData) {
  EXPECT_THAT(Refused(Entry("[3]", "[0, 12]")),
              AllOf(HasSubstr("byte 12"), HasSubstr("has 8"), HasSubstr("truncated")));
  EXPECT_THAT(Refused(Entry("[2]", "[8, 0]")), HasSubstr("before it begins"));
  for (const char* offsets : {"[-8, 0]", "[0]", "[0, 8, 8]", "[0.0, 8.0]", "[0, 18446744073709551615]", "8", "null"}) {
    EXPECT_THAT(Refused(Entry("[2]", offsets)), HasSubstr("no two whole numbers")) << offsets;
  }
  EXPECT_THAT(Refused(Entry("[2]", "[9223372036854775800, 9223372036854775807]")), HasSubstr("which has 8"));
}

TEST(SafetensorsTest, RefusesShapesThatDoNotFit) {
  for (const char* shape : {"[1]", "[3]", "[]", "[0]", "[2, 2]", "[4294967296, 4294967297]", "[2, 0]",
                            "[9223372036854775807, 9223372036854775807, 4]", "[0, 9223372036854775807]"}) {
    EXPECT_THAT(Refused(Entry(shape, "[0, 8]")), HasSubstr("does not fit its 8 bytes")) << shape;
  }
  EXPECT_THAT(Refused(Entry("[1]", "[0, 7]")), HasSubstr("does not fit its 7 bytes"));
  for (const char* shape : {"[-2]", "[2.0]", "\"2\"", "[18446744073709551615]", "{}"}) {
    EXPECT_THAT(Refused(Entry(shape, "[0, 8]")), HasSubstr("no list of whole numbers")) << shape;
  }
}

TEST(SafetensorsTest, RefusesOverlapsAndGaps) {
  const auto two = [](const char* first, const char* second) {
    return std::string(R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": )") + first +
           R"(}, "b": {"dtype": "F32", "shape": [1], "data_offsets": )" + second + "}}";
  };
  EXPECT_TRUE(ParseSafetensors(WriteSafetensors(two("[4, 8]", "[0, 4]"), kEightBytes)).ok());
  EXPECT_THAT(Refused(two("[0, 4]", "[2, 6]")), HasSubstr("'a' and 'b' overlap"));
  EXPECT_THAT(Refused(two("[4, 8]", "[4, 8]")), HasSubstr("bytes 0 to 4"));
  EXPECT_THAT(Refused(two("[0, 4]", "[0, 4]")), HasSubstr("overlap"));
  EXPECT_THAT(Refused(two("[0, 4]", "[4, 8]"), kEightBytes + "more"), HasSubstr("bytes 8 to 12"));
  EXPECT_THAT(Refused("{}"), HasSubstr("bytes 0 to 8"));
}

// Whatever is done to a file, it is refused or read, and the sanitizers see nothing.
TEST(SafetensorsTest, SurvivesDamage) {
  const std::string whole = MakeHeadFile("mn10_as", {6, 5, 4}).Bytes();
  ASSERT_TRUE(ParseSafetensors(whole).ok());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(ParseSafetensors(std::string_view(whole).substr(0, size)).ok()) << size;
  }
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = whole;
    const size_t at = random() % (whole.size() / 2);  // Most of it is header.
    switch (random() % 3) {
      case 0:
        damaged[at] = static_cast<char>(random());
        break;
      case 1:
        damaged.erase(at, 1 + random() % 8);
        break;
      case 2:
        damaged.insert(at, damaged.substr(random() % damaged.size(), 1 + random() % 64));
        break;
    }
    const absl::StatusOr<Safetensors> file = ParseSafetensors(damaged);
    EXPECT_TRUE(file.ok() || file.status().code() == absl::StatusCode::kInvalidArgument) << file.status();
  }
}

}  // namespace
}  // namespace hearwire
