#include "server/last_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <string>
#include <thread>

namespace hearwire {
namespace {

// Ends as the program does when `what` escapes from a thread.
template <typename Exception>
void EscapeFromAThread(LogFormat format, Exception what) {
  InstallLastWords(format);
  std::thread([what] { throw what; }).join();
}

TEST(LastWordsTest, SaysWhatWasThrownAndEndsWithACodeOfItsOwn) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(EscapeFromAThread(LogFormat::kText, std::bad_alloc()), testing::ExitedWithCode(kExitFault),
              "error ending: an exception that nothing can contain thread=.* error=\"std::bad_alloc\"");
  EXPECT_EXIT(EscapeFromAThread(LogFormat::kJson, std::runtime_error("a \"quoted\"\nline")),
              testing::ExitedWithCode(kExitFault), "^[{]\"time\":.*\"error\":\"a .quoted..line\"[}]\n$");
  EXPECT_EXIT(EscapeFromAThread(LogFormat::kText, 1), testing::ExitedWithCode(kExitFault), "no std::exception");
}

}  // namespace
}  // namespace hearwire
