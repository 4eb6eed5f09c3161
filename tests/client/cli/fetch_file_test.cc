#include "client/cli/fetch_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/cli/http_server.h"
#include "tests/client/cli/program.h"

namespace hearwire::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FetchFileTest : public testing::Test {
 protected:
  FetchFileTest() {
    for (int i = 0; i < 300'000; ++i) content_ += static_cast<char>(i * 7 / 256 + i);
    remote_.Write("file", content_);
  }

  FetchRequest Request(const std::string& mode, const std::string& name = "file") {
    FetchRequest request;
    request.url = server_.url() + mode + "/" + name;
    request.path = local_ / "file";
    request.check = [](const std::string&, const FileSummary&) { return absl::OkStatus(); };
    request.first_pause = absl::Milliseconds(1);
    return request;
  }
  FetchRequest OneAttempt(const std::string& mode) {
    FetchRequest request = Request(mode);
    request.attempts = 1;
    return request;
  }
  absl::StatusCode CodeOf(const FetchRequest& request) { return FetchFile(request).status().code(); }
  void ExpectFetched() {
    EXPECT_EQ(ReadFile(local_ / "file"), content_);
    EXPECT_THAT(local_.Files(), ElementsAre("file"));
  }

  std::string content_;
  TemporaryFolder remote_;
  TemporaryFolder local_;
  HttpServer server_{remote_.path()};
};

TEST_F(FetchFileTest, FetchesAFile) {
  int64_t seen = 0;
  FetchRequest request = Request("good");
  request.on_progress = [&](int64_t done, int64_t total) {
    EXPECT_EQ(total, 300'000);
    EXPECT_GE(done, seen);
    seen = done;
  };
  auto fetched = FetchFile(request);
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(fetched->summary.bytes, 300'000);
  EXPECT_EQ(fetched->resumed_bytes, 0);
  EXPECT_EQ(seen, 300'000);
  ExpectFetched();
}

TEST_F(FetchFileTest, GoesOnWhereAnEarlierRunWasCutOff) {
  const absl::Status cut = FetchFile(OneAttempt("cut")).status();
  EXPECT_EQ(cut.code(), absl::StatusCode::kUnavailable) << cut;
  EXPECT_THAT(local_.Files(), ElementsAre("file.part", "file.part.source"));
  auto fetched = FetchFile(OneAttempt("cut"));
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(fetched->resumed_bytes, 150'000);
  EXPECT_EQ(server_.requests(), "/cut/file -\n/cut/file bytes=150000-\n");
  ExpectFetched();
}

TEST_F(FetchFileTest, GoesOnByItselfWhenTheConnectionBreaks) {
  FetchRequest request = Request("cut");
  request.attempts = 2;
  ASSERT_TRUE(FetchFile(request).ok());
  EXPECT_EQ(server_.requests(), "/cut/file -\n/cut/file bytes=150000-\n");
  ExpectFetched();
}

TEST_F(FetchFileTest, GoesOnByDateWhereTheEntityTagIsWeak) {
  ASSERT_TRUE(FetchFile(Request("cut-dated")).ok());
  EXPECT_THAT(server_.requests(), HasSubstr("bytes=150000-"));
  ExpectFetched();
}

TEST_F(FetchFileTest, BeginsAnewWhereTheServerIgnoresRanges) {
  ASSERT_FALSE(FetchFile(OneAttempt("cut-rangeless")).ok());
  auto fetched = FetchFile(OneAttempt("cut-rangeless"));
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(fetched->resumed_bytes, 0);
  ExpectFetched();
}

TEST_F(FetchFileTest, BeginsAnewWhenTheFileHasChanged) {
  ASSERT_FALSE(FetchFile(OneAttempt("cut-changing")).ok());
  for (char& c : content_) ++c;
  remote_.Write("file", content_);
  auto fetched = FetchFile(OneAttempt("cut-changing"));
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  ExpectFetched();
}

TEST_F(FetchFileTest, BeginsAnewWhereNothingSaysThatTheFileIsTheSame) {
  ASSERT_FALSE(FetchFile(OneAttempt("cut-nameless")).ok());
  ASSERT_TRUE(FetchFile(OneAttempt("cut-nameless")).ok());
  EXPECT_EQ(server_.requests(), "/cut-nameless/file -\n/cut-nameless/file -\n");
  ExpectFetched();
  local_.Write("file.part", "of another place");
  local_.Write("file.part.source", "http://elsewhere/file\n\"same\"\n");
  ASSERT_TRUE(FetchFile(Request("good")).ok());
  ExpectFetched();
}

TEST_F(FetchFileTest, TakesAPartThatLacksOnlyItsName) {
  local_.Write("file.part", content_);
  local_.Write("file.part.source", server_.url() + "good/file\n\"same\"\n");
  ASSERT_TRUE(FetchFile(Request("good")).ok());
  ExpectFetched();
}

TEST_F(FetchFileTest, BeginsAnewWhenThePartIsLongerThanTheFile) {
  local_.Write("file.part", content_ + "more");
  local_.Write("file.part.source", server_.url() + "good/file\n\"same\"\n");
  ASSERT_TRUE(FetchFile(Request("good")).ok());
  ExpectFetched();
}

TEST_F(FetchFileTest, TriesAgainWhenTheServerIsBusy) {
  ASSERT_TRUE(FetchFile(Request("busy")).ok());
  ExpectFetched();
}

TEST_F(FetchFileTest, FollowsAFewRedirectsToWebServersOnly) {
  ASSERT_TRUE(FetchFile(Request("redirect")).ok());
  ExpectFetched();
  EXPECT_EQ(CodeOf(Request("loop")), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(FetchFile(Request("escape")).ok());
  ExpectFetched();
  FetchRequest local = Request("good");
  local.url = "file://" + remote_ / "file";
  EXPECT_EQ(CodeOf(local), absl::StatusCode::kInvalidArgument);
}

TEST_F(FetchFileTest, SaysWhatTheServerLacks) {
  const absl::Status status = FetchFile(Request("good", "absent")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("good/absent: the server has no such file (HTTP 404)"));
  EXPECT_EQ(CodeOf(Request("teapot")), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(local_.Files(), IsEmpty());
}

TEST_F(FetchFileTest, RemovesWhatTheCheckRefuses) {
  FetchRequest request = Request("good");
  request.check = [](const std::string&, const FileSummary&) { return absl::InvalidArgumentError("no"); };
  EXPECT_EQ(CodeOf(request), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(local_.Files(), IsEmpty());
}

TEST_F(FetchFileTest, RefusesMoreThanTheLimit) {
  FetchRequest request = Request("good");
  request.max_bytes = 299'999;
  EXPECT_EQ(CodeOf(request), absl::StatusCode::kResourceExhausted);
}

TEST_F(FetchFileTest, SaysThatThereIsNoServerOrNoNetwork) {
  FetchRequest request = OneAttempt("good");
  request.url = "http://127.0.0.1:1/file";
  EXPECT_EQ(CodeOf(request), absl::StatusCode::kUnavailable);
  request.url = "http://no-such-host.invalid/file";
  const absl::Status status = FetchFile(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("without a network"));
  EXPECT_THAT(local_.Files(), IsEmpty());
}

TEST_F(FetchFileTest, StopsWhenAskedAndKeepsWhatItHas) {
  std::stop_source stop;
  FetchRequest request = Request("cut");  // In the pause behind the first attempt.
  request.first_pause = absl::Hours(1);
  request.stop = stop.get_token();
  request.on_progress = [&](int64_t done, int64_t) {
    if (done == 150'000) stop.request_stop();
  };
  EXPECT_EQ(CodeOf(request), absl::StatusCode::kCancelled);
  EXPECT_THAT(local_.Files(), ElementsAre("file.part", "file.part.source"));
}

TEST_F(FetchFileTest, ReplacesTheFileThatALinkLeadsTo) {
  local_.Write("deep/real", "old");
  std::filesystem::create_symlink("deep/real", local_ / "file");
  ASSERT_FALSE(FetchFile(OneAttempt("cut")).ok());
  EXPECT_THAT(local_.Files(), ElementsAre("deep/real", "deep/real.part", "deep/real.part.source", "file"));
  ASSERT_TRUE(FetchFile(Request("cut")).ok());
  EXPECT_TRUE(std::filesystem::is_symlink(local_ / "file"));
  EXPECT_EQ(ReadFile(local_ / "deep/real"), content_);
  EXPECT_THAT(local_.Files(), ElementsAre("deep/real", "file"));
}

TEST_F(FetchFileTest, WritesIntoAPipe) {
  ASSERT_EQ(mkfifo((local_ / "file").c_str(), 0600), 0);
  // Without a writer of its own it would wait for ever where nobody writes.
  const int held = open((local_ / "file").c_str(), O_RDWR | O_CLOEXEC);
  auto reader = std::async(std::launch::async, [&] { return ReadFile(local_ / "file"); });
  const auto fetched = FetchFile(Request("good"));
  EXPECT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_TRUE(std::filesystem::is_fifo(local_ / "file"));
  close(held);
  EXPECT_EQ(reader.get(), content_);
  EXPECT_THAT(local_.Files(), ElementsAre("file"));
}

TEST_F(FetchFileTest, FetchesNothingWhereItCannotBeWritten) {
  std::filesystem::create_directory(local_ / "file");
  EXPECT_EQ(CodeOf(Request("good")), absl::StatusCode::kAlreadyExists);
  std::filesystem::remove(local_ / "file");
  std::filesystem::create_symlink("elsewhere", local_ / "file.part");
  EXPECT_EQ(CodeOf(Request("good")), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(server_.requests(), "");
}

TEST_F(FetchFileTest, KeepsOutOfTheWayOfAnotherFetch) {
  const std::string part = local_.Write("file.part", "");
  const int fd = open(part.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(flock(fd, LOCK_EX), 0);
  EXPECT_EQ(CodeOf(Request("good")), absl::StatusCode::kAlreadyExists);
  close(fd);
  EXPECT_EQ(CodeOf(Request("good")), absl::StatusCode::kOk);
}

}  // namespace
}  // namespace hearwire::cli
