#include "server/telemetry/access_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

namespace hearwire {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixMillis(1'767'225'600'123);

CallRecord Record() {
  CallRecord call;
  call.method = "GetTags";
  call.config = "mn10_as";
  call.request_id = "id-1";
  call.peer = "ipv4:10.0.0.7:1";
  call.caller = "ingest";
  call.status = absl::ResourceExhaustedError("a caller's own words");
  call.reason = "QUEUE_FULL";
  call.clips = 2;
  call.request_bytes = 1000;
  call.reply_bytes = 10;
  call.audio = absl::Seconds(1.5);
  call.total = absl::Milliseconds(20);
  return call;
}

TEST(AccessLogTest, SaysWhoCalledWhatAndWhatBecameOfIt) {
  const nlohmann::json line = nlohmann::json::parse(AccessLine(Record(), kNow, 0));
  EXPECT_EQ(line["time"], "2026-01-01T00:00:00.123Z");
  EXPECT_EQ(line["caller"], "ingest");
  EXPECT_EQ(line["peer"], "ipv4:10.0.0.7:1");
  EXPECT_EQ(line["method"], "GetTags");
  EXPECT_EQ(line["config"], "mn10_as");
  EXPECT_EQ(line["code"], "RESOURCE_EXHAUSTED");
  EXPECT_EQ(line["reason"], "QUEUE_FULL");
  EXPECT_EQ(line["request_id"], "id-1");
  EXPECT_EQ(line["clips"], 2);
  EXPECT_EQ(line["request_bytes"], 1000);
  EXPECT_EQ(line["reply_bytes"], 10);
  EXPECT_EQ(line["audio_seconds"], 1.5);
  EXPECT_EQ(line["total_seconds"], 0.02);
  EXPECT_FALSE(line.contains("trace_id")) << "there is no trace";
  EXPECT_FALSE(line.contains("dropped_lines"));
}

TEST(AccessLogTest, NamesTheTrace) {
  CallRecord call = Record();
  call.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
  call.span_id = "0102030405060708";
  call.parent_span_id = "00f067aa0ba902b7";
  call.trace_flags = "01";
  const nlohmann::json line = nlohmann::json::parse(AccessLine(call, kNow, 7));
  EXPECT_EQ(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(line["span_id"], "0102030405060708");
  EXPECT_EQ(line["parent_span_id"], "00f067aa0ba902b7");
  EXPECT_EQ(line["trace_flags"], "01");
  EXPECT_EQ(line["dropped_lines"], 7);
}

TEST(AccessLogTest, IsOneLineOfJsonWhateverCallersSend) {
  CallRecord call = Record();
  const std::string odd = "a\n\"b\"\\ \xff" + std::string(1000, 'x');
  call.config = call.caller = odd;
  const std::string line = AccessLine(call, kNow, 0);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_LT(line.size(), 2000u);
  EXPECT_TRUE(nlohmann::json::accept(line));
}

class AccessLogFileTest : public testing::Test {
 protected:
  AccessLogFileTest() {
    std::string folder = testing::TempDir() + "hearwire-access-XXXXXX";
    folder_ = mkdtemp(folder.data());
  }
  ~AccessLogFileTest() override { fs::remove_all(folder_); }

  std::string path() const { return folder_ + "/access.log"; }
  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string folder_;
};

TEST_F(AccessLogFileTest, AppendsAndGoesOnWithANewFileWhenTheOldOneIsMoved) {
  std::ofstream(path()) << "before\n";
  const auto log = AccessLog::Open(path()).value();
  log->Write(Record(), kNow);
  EXPECT_TRUE(log->ReopenIfMoved().ok());
  ASSERT_TRUE(log->Flush(SteadyTime::Now() + absl::Seconds(20)));
  EXPECT_THAT(Read(path()), testing::StartsWith("before\n{"));
  fs::rename(path(), path() + ".1");
  EXPECT_TRUE(log->ReopenIfMoved().ok());
  log->Write(Record(), kNow);
  ASSERT_TRUE(log->Flush(SteadyTime::Now() + absl::Seconds(20)));
  EXPECT_THAT(Read(path()), testing::StartsWith("{\"time\""));
  struct ::stat made;
  ASSERT_EQ(stat(path().c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777, 0600u) << "it tells who calls";
}

TEST_F(AccessLogFileTest, SaysThatItCannotBeOpened) {
  EXPECT_THAT(AccessLog::Open(folder_ + "/none/access.log").status().message(),
              HasSubstr("access.log cannot be opened: No such file"));
  const auto log = AccessLog::Open(path()).value();
  fs::remove_all(folder_);
  EXPECT_THAT(log->ReopenIfMoved().message(), HasSubstr("cannot be opened"));
  log->Write(Record(), kNow);
  EXPECT_TRUE(log->Flush(SteadyTime::Now() + absl::Seconds(20))) << "into the file that is gone";
}

}  // namespace
}  // namespace hearwire
