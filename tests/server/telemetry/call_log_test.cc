#include "server/telemetry/call_log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "server/concurrency/steady_time.h"
#include "server/telemetry/log.h"

namespace hearwire {
namespace {

std::string LoggedCall(const absl::Status& status, absl::Duration total, absl::Duration slow_call) {
  testing::internal::CaptureStderr();
  CallRecord call;
  call.method = "GetTags";
  call.request_id = "id-1";
  const std::string config(1000, 'c');
  call.config = config;
  call.status = status;
  call.total = total;
  LogCall(call, slow_call);
  EXPECT_TRUE(FlushLog(SteadyTime::Now() + absl::Seconds(20)));
  return testing::internal::GetCapturedStderr();
}

TEST(CallLogTest, NotesSlowAndFailedCallsOnly) {
  StartLog(LogFormat::kJson, LogLevel::kInfo);
  EXPECT_EQ(LoggedCall(absl::OkStatus(), absl::Seconds(1), absl::Seconds(2)), "");
  EXPECT_EQ(LoggedCall(absl::InvalidArgumentError("bad"), absl::Seconds(1), absl::Seconds(2)), "");
  EXPECT_EQ(LoggedCall(absl::OkStatus(), absl::Seconds(9), absl::ZeroDuration()), "") << "zero: none is slow";

  const nlohmann::json slow = nlohmann::json::parse(LoggedCall(absl::OkStatus(), absl::Seconds(2), absl::Seconds(2)));
  EXPECT_EQ(slow["message"], "slow call");
  EXPECT_EQ(slow["level"], "info");
  EXPECT_EQ(slow["request_id"], "id-1");
  EXPECT_EQ(slow["total_seconds"], 2);
  EXPECT_EQ(std::string(slow["config"]).size(), 200u);

  const nlohmann::json failed =
      nlohmann::json::parse(LoggedCall(absl::InternalError("broke"), absl::Seconds(1), absl::Seconds(2)));
  EXPECT_EQ(failed["message"], "failed call");
  EXPECT_EQ(failed["level"], "error");
  EXPECT_EQ(failed["code"], "INTERNAL");
  EXPECT_EQ(failed["error"], "broke");
}

TEST(CallLogTest, WritesEveryCallAtDebug) {
  StartLog(LogFormat::kJson, LogLevel::kDebug);
  const nlohmann::json call = nlohmann::json::parse(LoggedCall(absl::OkStatus(), absl::Seconds(1), absl::Seconds(2)));
  EXPECT_EQ(call["message"], "call");
  EXPECT_EQ(call["code"], "OK");
}

}  // namespace
}  // namespace hearwire
