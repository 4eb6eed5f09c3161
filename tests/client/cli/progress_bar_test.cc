#include "client/cli/progress_bar.h"

#include "gtest/gtest.h"

namespace hearwire::cli {
namespace {

TEST(ProgressLineTest, SaysHowFarAndHowLong) {
  EXPECT_EQ(ProgressLine("hearwire", ProgressUnit::kFiles, 0, 50, 200, absl::Seconds(30), 100),
            "hearwire [######                  ] 25 %, 50 of 200 files, 1:30 left");
  // Half of it was there before: a megabyte in 2 s.
  EXPECT_EQ(ProgressLine("x.pt", ProgressUnit::kBytes, 2'000'000, 3'000'000, 4'000'000, absl::Seconds(2), 100),
            "x.pt [##################      ] 75 %, 3.0 of 4.0 MB, 0:02 left");
}

TEST(ProgressLineTest, DoesWithoutATotal) {
  EXPECT_EQ(ProgressLine("x.pt", ProgressUnit::kBytes, 0, 1'500'000, 0, absl::Seconds(2), 100), "x.pt 1.5 MB");
}

TEST(ProgressLineTest, FitsTheTerminal) {
  EXPECT_EQ(ProgressLine("hearwire", ProgressUnit::kFiles, 0, 50, 200, absl::Seconds(30), 20), "hearwire [######    ");
}

}  // namespace
}  // namespace hearwire::cli
