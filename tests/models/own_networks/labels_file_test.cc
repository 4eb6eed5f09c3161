#include "models/own_networks/labels_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Refusal(std::string_view text) {
  const auto labels = ParseLabels(text);
  return labels.ok() ? "taken" : std::string(labels.status().message());
}

TEST(LabelsFileTest, HasALabelOnEachLine) {
  for (const char* text :
       {"dog\nblåmeis\nhigh C, sung", "dog\nblåmeis\nhigh C, sung\n", "dog\r\nblåmeis\r\nhigh C, sung\r\n"}) {
    const auto labels = ParseLabels(text);
    ASSERT_TRUE(labels.ok()) << labels.status();
    EXPECT_THAT(*labels, ElementsAre("dog", "blåmeis", "high C, sung"));
  }
}

TEST(LabelsFileTest, SaysWhichLineIsWrong) {
  EXPECT_THAT(Refusal(""), StartsWith("1: no label"));
  EXPECT_THAT(Refusal("a\n\nb"), StartsWith("2: an empty line"));
  EXPECT_THAT(Refusal("a\nb\na\n"), StartsWith("3: the label 'a' is there already, on line 1"));
  EXPECT_THAT(Refusal("a\nb\tc"), StartsWith("2: the label 'b\\tc' has control characters"));
  EXPECT_THAT(Refusal(std::string(201, 'x')), StartsWith("1: a label of 201 bytes; at most 200"));
  EXPECT_EQ(Refusal(std::string(200, 'x')), "taken");
}

TEST(LabelsFileTest, TakesUtf8Alone) {
  for (const char* bad :
       {"\xff", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x80\x80\xaf"}) {
    EXPECT_THAT(Refusal(std::string("a\n") + bad), HasSubstr("2: the label")) << ::testing::PrintToString(bad);
    EXPECT_THAT(Refusal(std::string("a\n") + bad), HasSubstr("is not in UTF-8"));
  }
  for (const char* good :
       {"\xc2\xa0", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xef\xbf\xbd", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(Refusal(good), "taken");
  }
}

TEST(LabelsFileTest, NamesAFileThatCannotBeRead) {
  const auto labels = LoadLabels("/nonexistent/labels.txt");
  EXPECT_EQ(labels.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(labels.status().message()), HasSubstr("/nonexistent/labels.txt"));
}

}  // namespace
}  // namespace hearwire
