#include "client/cli/printable.h"

#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace hearwire::cli {
namespace {

TEST(PrintableTest, KeepsWhatPeopleWrite) {
  for (const std::string_view text : {"", "a b.wav", "C:\\new", "Vögel, 鳥, 🐦", "\u00a0"})
    EXPECT_EQ(Printable(text), text);
}

TEST(PrintableTest, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(Printable("\x1b[31mred\nnext\r\t\x07\x7f"), "\\x1b[31mred\\nnext\\r\\t\\x07\\x7f");
  EXPECT_EQ(Printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(Printable("\u009b31m"), "\\xc2\\x9b31m");
}

TEST(PrintableTest, EscapesBytesThatAreNoUtf8) {
  EXPECT_EQ(Printable("\x9b"
                      "31m"),
            "\\x9b31m");
  EXPECT_EQ(Printable("\xc3"), "\\xc3");
  EXPECT_EQ(Printable("\xe9\x1b[0m"), "\\xe9\\x1b[0m");
  EXPECT_EQ(Printable("\xc0\x9b"), "\\xc0\\x9b");
  EXPECT_EQ(Printable("\xe0\x82\x9b"), "\\xe0\\x82\\x9b");
}

}  // namespace
}  // namespace hearwire::cli
