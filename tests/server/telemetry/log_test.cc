#include "server/telemetry/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "server/concurrency/steady_time.h"
#include "server/telemetry/log_writer.h"

namespace hearwire {
namespace {

nlohmann::json ParseLine(std::initializer_list<LogField> fields) {
  return nlohmann::json::parse("{" + FormatLogLine(LogFormat::kJson, "message", fields) + "}");
}

TEST(LogTest, WritesFieldsWithTheirTypesAsJson) {
  const nlohmann::json line = ParseLine(
      {{"text", "a b"}, {"count", 3}, {"yes", true}, {"ratio", 0.5}, {"wait_seconds", absl::Milliseconds(250)}});
  EXPECT_EQ(line["message"], "message");
  EXPECT_EQ(line["text"], "a b");
  EXPECT_EQ(line["count"], 3);
  EXPECT_EQ(line["yes"], true);
  EXPECT_EQ(line["ratio"], 0.5);
  EXPECT_EQ(line["wait_seconds"], 0.25);
}

TEST(LogTest, EscapesWhatCallersSend) {
  using namespace std::string_literals;
  const std::string hostile = "quote\" back\\ line\n return\r nul\0 bell\a del\x7f c1\xc2\x85 \"},{\"level\":\"x"s;
  const nlohmann::json line = ParseLine({{"config", hostile}});
  EXPECT_EQ(line["config"], hostile);
  EXPECT_EQ(line.size(), 2u);
  for (const LogFormat format : {LogFormat::kJson, LogFormat::kText}) {
    for (const char c : FormatLogLine(format, "message", {{"config", hostile}})) {
      EXPECT_GE(static_cast<unsigned char>(c), 0x20) << "a control character in the line";
      EXPECT_NE(c, 0x7f);
    }
  }
}

TEST(LogTest, ReplacesWhatIsNoUtf8) {
  for (const std::string bad :
       {"\xff", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) {
    const nlohmann::json line = ParseLine({{"config", "a" + bad + "b"}});
    const std::string value = line["config"];
    EXPECT_EQ(value.substr(0, 4), "a\xef\xbf\xbd");
    EXPECT_EQ(value.back(), 'b');
  }
  EXPECT_EQ(ParseLine({{"config", "é€𝄞"}})["config"], "é€𝄞");
}

TEST(LogTest, QuotesInTextOnlyWhatNeedsIt) {
  EXPECT_EQ(FormatLogLine(LogFormat::kText, "two words",
                          std::vector<LogField>{{"a", "plain"}, {"b", "a b"}, {"c", ""}, {"d", "x=y"}, {"e", 1}}),
            "two words a=plain b=\"a b\" c=\"\" d=\"x=y\" e=1");
}

TEST(LogTest, WritesNullForWhatIsNotFinite) {
  EXPECT_TRUE(ParseLine({{"x", std::numeric_limits<double>::infinity()}})["x"].is_null());
  EXPECT_TRUE(ParseLine({{"x", absl::InfiniteDuration()}})["x"].is_null());
}

TEST(LogTest, WritesOneJsonObjectALineFromTheLevelOn) {
  StartLog(LogFormat::kJson, LogLevel::kInfo);
  testing::internal::CaptureStderr();
  Log(LogLevel::kDebug, "below the level");
  Log(LogLevel::kWarning, "braces {} {0}", {{"n", 1}});
  ASSERT_TRUE(FlushLog(SteadyTime::Now() + absl::Seconds(20)));
  const std::string written = testing::internal::GetCapturedStderr();
  ASSERT_EQ(std::count(written.begin(), written.end(), '\n'), 1) << written;
  const nlohmann::json line = nlohmann::json::parse(written);
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["message"], "braces {} {0}");
  EXPECT_EQ(std::string(line["time"]).back(), 'Z');
}

TEST(LogWriterTest, DropsAndCountsWhatNobodyReads) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  auto* const writer = new LogWriter(ends[1]);
  const std::string line(1 << 16, 'x');  // As much as the pipe holds.
  constexpr int kLines = 3 * LogWriter::kMaxWaitingBytes / (1 << 16);
  for (int i = 0; i < kLines; ++i) writer->Write(line);
  EXPECT_FALSE(writer->Flush(SteadyTime::Now()));
  EXPECT_EQ(writer->TakeDropped(), 0) << "there is no room to tell of it";
  size_t read_bytes = 0;
  std::thread reader([&] {
    std::string buffer(1 << 20, '\0');
    for (ssize_t got; (got = read(ends[0], buffer.data(), buffer.size())) > 0;) read_bytes += static_cast<size_t>(got);
  });
  EXPECT_TRUE(writer->Flush(SteadyTime::Now() + absl::Seconds(60)));
  close(ends[1]);  // The writer has nothing left to write.
  reader.join();
  close(ends[0]);
  const int64_t dropped = writer->TakeDropped();
  EXPECT_GT(dropped, 0);
  EXPECT_EQ(read_bytes, (kLines - dropped) * line.size()) << "what is not dropped is written, whole";
  EXPECT_EQ(writer->TakeDropped(), 0) << "counted once";
}

}  // namespace
}  // namespace hearwire
