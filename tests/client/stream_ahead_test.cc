// Streams whose server says how much audio may be on its way.

#include <atomic>
#include <string>
#include <vector>

#include "client/bytes_ahead.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/stream_answers.h"
#include "tests/client/stream_server.h"

namespace hearwire::client {
namespace {

using ::testing::HasSubstr;

TEST(BytesAheadTest, LetsFewBytesGoUntilTheBoundIsKnown) {
  BytesAhead ahead;
  ahead.OnNewCall(100);
  EXPECT_EQ(ahead.MaySend(100, 1000), 1000);
  EXPECT_EQ(ahead.MaySend(100, 1 << 20), BytesAhead::kUntilKnown);
  EXPECT_EQ(ahead.MaySend(100 + BytesAhead::kUntilKnown, 1), 0);
  ahead.OnBound(BytesAhead::kNoBound);
  EXPECT_EQ(ahead.MaySend(100 + BytesAhead::kUntilKnown, 1 << 20), 1 << 20);
}

TEST(BytesAheadTest, IsNeverFurtherAheadThanTheBound) {
  BytesAhead ahead;
  ahead.OnNewCall(5000);
  ahead.OnBound(1000);
  EXPECT_EQ(ahead.MaySend(5000, 4000), 1000);
  EXPECT_EQ(ahead.MaySend(5600, 4000), 400);
  EXPECT_EQ(ahead.MaySend(5751, 4000), 0) << "less than a quarter is free";
  EXPECT_EQ(ahead.MaySend(5751, 249), 249) << "all that there is";
  EXPECT_EQ(ahead.MaySend(6000, 4000), 0);
  ahead.OnTaken(300);
  EXPECT_EQ(ahead.MaySend(6000, 4000), 300);
  ahead.OnTaken(200);
  EXPECT_EQ(ahead.MaySend(6000, 4000), 300) << "what was taken stays taken";
}

TEST(BytesAheadTest, BeginsAnewWithACall) {
  BytesAhead ahead;
  ahead.OnNewCall(0);
  ahead.OnBound(1000);
  ahead.OnTaken(1000);
  ahead.OnNewCall(600);
  EXPECT_EQ(ahead.MaySend(600, 1 << 20), BytesAhead::kUntilKnown);
  ahead.OnBound(100);
  EXPECT_EQ(ahead.MaySend(600 + BytesAhead::kUntilKnown, 10), 0) << "more was sent than the bound allows";
}

TEST(StreamAheadTest, SendsFewBytesUntilTheServerHasSaidWhetherThereIsABound) {
  std::vector<int64_t> sent;
  StreamServer server([&](int, grpc::ServerContext*, StreamPeer* peer) {
    v1::StreamEmbeddingsRequest request;
    peer->Read(&request);
    int64_t total = 0;
    while (total < BytesAhead::kUntilKnown && peer->Read(&request)) {
      sent.push_back(static_cast<int64_t>(request.samples().size()));
      total += sent.back();
    }
    peer->Write(StreamStartedMessage());
    while (peer->Read(&request)) sent.push_back(static_cast<int64_t>(request.samples().size()));
    v1::StreamEmbeddingsResponse last;
    last.mutable_summary();
    peer->Write(last);
    return grpc::Status::OK;
  });
  EXPECT_TRUE(RunStream(server.address(), RowOptions(), Sound(100), 100'000).status.ok());
  EXPECT_THAT(sent, testing::ElementsAre(BytesAhead::kUntilKnown, 200'000 - BytesAhead::kUntilKnown));
}

TEST(StreamAheadTest, IsNeverFurtherAheadThanTheServerAllows) {
  StreamServer free({StreamPlan()});
  StreamServer bounded({StreamPlan{.bytes_ahead = 1000}});
  const Answers expected = RunStream(free.address(), RowOptions(), Sound(20));
  for (const size_t piece : {size_t{1}, size_t{100}, size_t{20'000}}) {
    const Answers answers = RunStream(bounded.address(), RowOptions(), Sound(20), piece);
    EXPECT_TRUE(answers.status.ok()) << answers.status;
    EXPECT_EQ(answers.values, expected.values);
  }
}

TEST(StreamAheadTest, ResumesUnderTheNextCallsBound) {
  StreamServer free({StreamPlan()});
  const Answers expected = RunStream(free.address(), RowOptions(), Sound(40));
  StreamOptions options = RowOptions();
  options.resume = true;
  for (const bool facts : {false, true}) {
    StreamServer server({{.end_after_rows = 300, .facts = facts, .bytes_ahead = 20'000},
                         {.end_after_rows = 100, .facts = facts, .bytes_ahead = 1000},
                         {.end_after_rows = 100, .facts = facts},
                         {.bytes_ahead = 1000}});
    const Answers answers = RunStream(server.address(), options, Sound(40), 3000);
    EXPECT_TRUE(answers.status.ok()) << answers.status;
    EXPECT_EQ(answers.values, expected.values);
    EXPECT_EQ(answers.summary->resumes, 3);
  }
}

TEST(StreamAheadTest, RefusesAServerThatHasTakenMoreThanWasSent) {
  for (const bool started : {true, false}) {
    StreamServer server([&](int, grpc::ServerContext*, StreamPeer* peer) {
      v1::StreamEmbeddingsRequest request;
      peer->Read(&request);
      if (started) peer->Write(StreamStartedMessage());
      while (peer->Read(&request)) {
      }
      v1::StreamEmbeddingsResponse message;
      message.mutable_taken()->set_bytes(2001);
      peer->Write(message);
      return grpc::Status::OK;
    });
    const absl::Status status = RunStream(server.address(), RowOptions(), Sound(1)).status;
    EXPECT_TRUE(absl::IsInternal(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(started ? "of 2000 bytes of audio it has taken 2001" : "before it has started"));
  }
}

}  // namespace
}  // namespace hearwire::client
