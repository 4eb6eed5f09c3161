#include "models/own_networks/json_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace hearwire {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Refusal(std::string_view text) {
  const absl::StatusOr<JsonValue> parsed = ParseJsonLines(text);
  return parsed.ok() ? "taken" : std::string(parsed.status().message());
}

TEST(JsonLinesTest, KnowsTheLineOfEveryValue) {
  const auto parsed = ParseJsonLines(R"({
  "number": 12
  ,
  "text": "a\nb", "list": [
    1,
    {"inner":
      -3
    }
  ],
  "other": [null, true, 0.5]
})");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->kind, JsonValue::Kind::kObject);
  EXPECT_EQ(parsed->line, 1);
  const JsonValue* const number = parsed->Find("number");
  ASSERT_NE(number, nullptr);
  EXPECT_EQ(number->kind, JsonValue::Kind::kInteger);
  EXPECT_EQ(number->integer, 12);
  EXPECT_EQ(number->line, 2) << "a number ends with the line behind it";
  EXPECT_EQ(parsed->Find("text")->text, "a\nb");
  EXPECT_EQ(parsed->Find("text")->line, 4);
  const JsonValue& list = *parsed->Find("list");
  EXPECT_EQ(list.line, 4);
  ASSERT_EQ(list.items.size(), 2u);
  EXPECT_EQ(list.items[0].line, 5);
  EXPECT_EQ(list.items[1].line, 6);
  EXPECT_EQ(list.items[1].members[0].line, 6);
  EXPECT_EQ(list.items[1].Find("inner")->integer, -3);
  EXPECT_EQ(list.items[1].Find("inner")->line, 7);
  ASSERT_EQ(parsed->Find("other")->items.size(), 3u);
  EXPECT_EQ(parsed->Find("other")->items[0].kind, JsonValue::Kind::kOther);
  EXPECT_EQ(parsed->Find("other")->line, 10);
  EXPECT_EQ(parsed->Find("missing"), nullptr);
}

TEST(JsonLinesTest, SaysOnWhichLineItIsNoJson) {
  EXPECT_THAT(Refusal(""), StartsWith("1: no JSON: the file ends too early"));
  EXPECT_THAT(Refusal("{\n \"a\": 1,\n}"), StartsWith("3: no JSON"));
  EXPECT_THAT(Refusal("{\n \"a\" 1}"), StartsWith("2: no JSON"));
  EXPECT_THAT(Refusal("{\n \"a\": [1,\n 2"), StartsWith("3: no JSON: the file ends too early"));
  EXPECT_THAT(Refusal("{}\n\n{}"), StartsWith("3: no JSON"));
  EXPECT_THAT(Refusal("{\"a\": \"\xff\"}"), StartsWith("1: no JSON"));
}

TEST(JsonLinesTest, RefusesWhatAFileOfOursNeverHas) {
  EXPECT_THAT(Refusal("{\n\"a\": 1,\n\"a\": 2}"), StartsWith("3: the name 'a' is there twice, first on line 2"));
  EXPECT_THAT(Refusal(std::string(9, '[') + std::string(9, ']')), HasSubstr("nested deeper than 8"));
  EXPECT_EQ(Refusal(std::string(8, '[') + std::string(8, ']')), "taken");
  EXPECT_THAT(Refusal("\n18446744073709551615"), StartsWith("2: a number is out of range"));
  std::string many = "{\"0\": 0";
  for (int i = 1; i < 65; ++i) many += ", \"" + std::to_string(i) + "\": 0";
  EXPECT_THAT(Refusal(many + "}"), HasSubstr("more than 64 members"));
}

}  // namespace
}  // namespace hearwire
