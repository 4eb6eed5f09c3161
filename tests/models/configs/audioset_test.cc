#include "models/configs/audioset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>

#include "models/configs/config.h"
#include "tests/fixtures/shared_data.h"

namespace hearwire {
namespace {

TEST(AudioSetClassNamesTest, AreOnePerLogitAndDistinct) {
  const absl::Span<const std::string_view> names = AudioSetClassNames();
  EXPECT_EQ(names.size(), static_cast<size_t>(kAudioSetClassCount));
  EXPECT_EQ(std::set<std::string_view>(names.begin(), names.end()).size(), names.size());
}

TEST(AudioSetClassNamesTest, StandInTheOrderOfTheLogits) {
  const absl::Span<const std::string_view> names = AudioSetClassNames();
  EXPECT_EQ(names[0], "Speech");
  EXPECT_EQ(names[1], "Male speech, man speaking");
  EXPECT_EQ(names[74], "Dog");
  EXPECT_EQ(names[137], "Music");
  EXPECT_EQ(names[526], "Field recording");
}

TEST(AudioSetClassNamesTest, EqualThePublishedList) {
  HEARWIRE_SKIP_WITHOUT_SHARED_DATA();
  std::ifstream csv(SharedDataDir() + "/golden/audioset_labels.csv");
  std::string line;
  std::getline(csv, line);
  size_t row = 0;
  for (; std::getline(csv, line); ++row) {
    const std::string published = line.substr(line.find('"'));
    ASSERT_LT(row, AudioSetClassNames().size());
    EXPECT_EQ("\"" + std::string(AudioSetClassNames()[row]) + "\"", published.substr(0, published.rfind('"') + 1));
  }
  EXPECT_EQ(row, AudioSetClassNames().size());
}

}  // namespace
}  // namespace hearwire
