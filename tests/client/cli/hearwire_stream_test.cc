// The command hearwire stream, as a user runs it, against a server whose rows are computed from the samples.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/program.h"
#include "tests/client/cli/wav_bytes.h"
#include "tests/client/stream_server.h"
#include "tests/fixtures/npy.h"

namespace hearwire::cli {
namespace {

using client::StreamPlan;
using client::StreamServer;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Samples(int seconds) {
  std::string bytes;
  for (int i = 0; i < seconds * 1000; ++i) bytes += LittleEndian(static_cast<int16_t>(i % 601 * 7919 % 601));
  return bytes;
}

std::string WavOf(const std::string& samples) {
  return Wav(FormatChunk(1, 16), samples, static_cast<uint32_t>(samples.size()));
}

int64_t Lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

class HearwireStreamTest : public testing::Test {
 protected:
  HearwireStreamTest() { Use(server_); }
  static void Use(const StreamServer& server) { setenv("HEARWIRE_SERVER", server.address().c_str(), 1); }

  StreamServer server_{{StreamPlan()}};
  TemporaryFolder folder_;
};

TEST_F(HearwireStreamTest, WritesTheRowsOfAFile) {
  const std::string input = folder_.Write("a.wav", WavOf(Samples(1)));
  const ProgramResult result = Hearwire({"stream", input, "--output", "-", "--format", "csv"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith("timestamp_ms,e0,e1,e2\n0,0,"));
  EXPECT_THAT(result.out, HasSubstr("\n1000,20,"));
  EXPECT_EQ(Lines(result.out), 22);
  EXPECT_EQ(result.err, "");
}

TEST_F(HearwireStreamTest, TakesTheSameFromPipesAndRawSamples) {
  const std::string samples = Samples(2);
  const std::vector<std::string> csv = {"stream", "-", "--format", "csv"};
  const std::string expected = Hearwire(csv, WavOf(samples)).out;
  EXPECT_EQ(Lines(expected), 42);
  for (const uint32_t size : {0u, 0xffffffffu, 0x7ffff000u}) {
    EXPECT_EQ(Hearwire(csv, Wav(FormatChunk(1, 16), samples, size)).out, expected) << size;
  }
  EXPECT_EQ(Hearwire(csv, Wav(Chunk("LIST", "INFO") + ExtensibleChunk(1, 16), samples, 4000)).out, expected);
  // What follows the samples is none of them.
  EXPECT_EQ(Hearwire(csv, Wav(FormatChunk(1, 16), samples + Chunk("LIST", "INFO"), 4000)).out, expected);
  EXPECT_EQ(Hearwire({"stream", "--rate", "1000", "--format", "csv"}, samples).out, expected);
}

TEST_F(HearwireStreamTest, WritesAnArrayAndItsTimes) {
  const std::string input = folder_.Write("a.wav", WavOf(Samples(3)));
  const ProgramResult result = Hearwire({"stream", input, "--output", folder_ / "a.npy"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto rows = ReadNpy(folder_ / "a.npy");
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(rows->shape, ElementsAre(61, 3));
  EXPECT_EQ(rows->values[3 * 60], 60);
  const auto times = ReadNpy(folder_ / "a.timestamps.npy");
  ASSERT_TRUE(times.ok()) << times.status();
  EXPECT_EQ(times->values[60], 3000);
  EXPECT_THAT(folder_.Files(), ElementsAre("a.npy", "a.timestamps.npy", "a.wav"));
}

TEST_F(HearwireStreamTest, WritesAllThatComesAsJsonLines) {
  const ProgramResult result = Hearwire(
      {"stream", "--rate", "1000", "--timestamps", "--scenes", "--tags", "1", "--heads", "every50", "--output", "-"},
      Samples(11));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  std::istringstream lines(result.out);
  std::map<std::string, std::vector<nlohmann::json>> found;
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    found[json["type"]].push_back(json);
  }
  EXPECT_EQ(found["started"].at(0)["weights_sha256"], "abc123");
  EXPECT_EQ(found["row"].size(), 221u);
  EXPECT_EQ(found["row"].at(2)["timestamp_ms"], 100);
  EXPECT_EQ(found["row"].at(2)["embedding"][0], 2);
  EXPECT_EQ(found["labels"].at(2)["labels"][0]["name"], "label 2");
  EXPECT_EQ(found["scene"].size(), 5u);
  EXPECT_EQ(found["scene"].at(1)["centre_ms"], 2500);
  EXPECT_EQ(found["scene"].at(1)["tags"][0]["name"], "Dog");
  EXPECT_EQ(found["summary"].at(0)["timestamp_rows"], 221);
  EXPECT_EQ(found["summary"].at(0)["embedding"].size(), 2u);
}

TEST_F(HearwireStreamTest, PrintsALineAboutEachThing) {
  const ProgramResult tags = Hearwire({"stream", "--rate", "1000", "--tags", "1"}, Samples(11));
  EXPECT_EQ(tags.exit_code, 0) << tags.err;
  EXPECT_THAT(tags.out, StartsWith("    0.000 s  0.000 Dog\n    2.500 s  0.000 Dog\n"));
  EXPECT_THAT(tags.out, EndsWith("11.000 s in all, 5 scene windows\n"));
  EXPECT_EQ(Lines(tags.out), 6);
  const ProgramResult rows = Hearwire({"stream", "--rate", "1000"}, Samples(1));
  EXPECT_THAT(rows.out, HasSubstr("    0.050 s  row:   1 "));
  EXPECT_THAT(rows.out, EndsWith("1.000 s in all, 21 rows\n"));
}

TEST_F(HearwireStreamTest, PrintsTagsBesideAnArray) {
  const ProgramResult result = Hearwire(
      {"stream", "--rate", "1000", "--scenes", "--tags", "1", "--output", folder_ / "scenes.npy"}, Samples(11));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(Lines(result.out), 6);
  EXPECT_THAT(ReadNpy(folder_ / "scenes.npy")->shape, ElementsAre(5, 2));
}

TEST_F(HearwireStreamTest, UpdatesTagsInPlaceOnATerminal) {
  const std::string input = folder_.Write("a.raw", Samples(11));
  // script(1) runs it on a terminal of its own.
  const ProgramResult result =
      Program({"-qec", std::string(HEARWIRE_PROGRAM) + " stream --rate 1000 --tags 1 " + input, "/dev/null"}, "",
              "script")
          .Wait();
  EXPECT_EQ(result.exit_code, 0) << result.err << result.out;
  EXPECT_THAT(result.out, HasSubstr("\r\033[K    2.500 s  0.000 Dog\r\033[K"));
  EXPECT_EQ(Lines(result.out), 1) << "only the summary's line ends";
}

TEST_F(HearwireStreamTest, AnswersWhileTheSoundComes) {
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  Program program({"stream", pipe, "--rate", "1000", "--format", "csv"});
  const int writer = open(pipe.c_str(), O_WRONLY);
  const std::string samples = Samples(1);
  ASSERT_EQ(write(writer, samples.data(), samples.size()), static_cast<ssize_t>(samples.size()));
  while (Lines(program.out()) < 20) std::this_thread::yield();  // All but those that the end makes known.
  close(writer);
  EXPECT_EQ(program.Wait().exit_code, 0);
}

TEST_F(HearwireStreamTest, TakesARealTimeFileAsItSounds) {
  const std::string input = folder_.Write("a.wav", WavOf(Samples(1)));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Hearwire({"stream", input, "--real-time"}).exit_code, 0);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(900));
}

TEST_F(HearwireStreamTest, AnswersWhatCameBeforeAnInterrupt) {
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  Program program({"stream", pipe, "--rate", "1000", "--output", folder_ / "a.npy", "--tags", "1", "--timestamps"});
  const int writer = open(pipe.c_str(), O_WRONLY);
  const std::string samples = Samples(12);
  ASSERT_EQ(write(writer, samples.data(), samples.size()), static_cast<ssize_t>(samples.size()));
  while (Lines(program.out()) < 3) std::this_thread::yield();
  program.Signal(SIGINT);
  const ProgramResult result = program.Wait();
  close(writer);
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, EndsWith("12.000 s in all, 241 rows, 5 scene windows\n"));
  EXPECT_THAT(ReadNpy(folder_ / "a.npy")->shape, ElementsAre(241, 3));
}

TEST_F(HearwireStreamTest, EndsSoonAfterAnInterruptWhateverTheServerDoes) {
  StreamServer stuck([](int, grpc::ServerContext* context, client::StreamPeer* peer) {
    peer->Write(client::StreamStartedMessage());
    while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return grpc::Status::CANCELLED;
  });
  Use(stuck);
  const std::string input = folder_.Write("a.raw", std::string(30'000'000, 'x'));  // More than gRPC holds.
  Program program({"stream", input, "--rate", "1000", "--output", "-"});
  while (Lines(program.out()) < 1) std::this_thread::yield();
  program.Signal(SIGINT);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(program.Wait().exit_code, 130);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST_F(HearwireStreamTest, GoesOnWhereAServerEndsTheStream) {
  const std::string expected = Hearwire({"stream", "--rate", "1000", "--format", "csv"}, Samples(5)).out;
  for (const bool facts : {false, true}) {
    StreamServer failing({{.end_after_rows = 50, .facts = facts}, {}});
    Use(failing);
    EXPECT_EQ(Hearwire({"stream", "--rate", "1000", "--format", "csv", "--resume"}, Samples(5)).out, expected);
    EXPECT_EQ(failing.calls(), 2);
  }
}

TEST_F(HearwireStreamTest, KeepsTheRowsOfAStreamThatFails) {
  StreamServer failing({StreamPlan{.end_after_rows = 50}});
  Use(failing);
  const ProgramResult result = Hearwire({"stream", "--rate", "1000", "--output", folder_ / "a.npy"}, Samples(5));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "hearwire: gone\n");
  EXPECT_THAT(ReadNpy(folder_ / "a.npy")->shape, ElementsAre(50, 3));
}

TEST_F(HearwireStreamTest, HearsOfAFailureWhileItWaitsForSound) {
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  StreamServer failing({StreamPlan{.refuse = true}});
  Use(failing);
  Program program({"stream", pipe, "--rate", "1000"});
  const int writer = open(pipe.c_str(), O_WRONLY);  // And nothing is written.
  const ProgramResult result = program.Wait();
  close(writer);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "hearwire: come back later\n");
}

TEST_F(HearwireStreamTest, SaysThatAFileIsCutOff) {
  const ProgramResult result = Hearwire({"stream", "--format", "csv"}, Wav(FormatChunk(1, 16), Samples(1), 4000));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(Lines(result.out), 22) << "its rows are answered all the same";
  EXPECT_EQ(result.err, "hearwire: standard input: ends after 1.000 s, and its header says 2.000 s\n");
}

TEST_F(HearwireStreamTest, RefusesWhatCannotBeRight) {
  const std::string input = folder_.Write("a.wav", WavOf(Samples(1)));
  const std::string other = folder_.Write("a.mp3", "ID3 of another kind");
  folder_.Write("there.csv", "precious");
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{"stream", other}, "a.mp3: is no WAV file: --rate says that it is raw samples"},
      {{"stream", folder_ / "absent.wav"}, "absent.wav: No such file or directory"},
      {{"stream", folder_.path()}, "Is a directory"},
      {{"stream", folder_.Write("empty.wav", "")}, "empty.wav: is empty"},
      {{"stream", folder_.Write("short.wav", "RIFF")}, "short.wav: ends before its samples begin"},
      {{"stream", input, "--format", "npy"}, "says first how many rows there are"},
      {{"stream", input, "--output", "-", "--format", "npy"}, "says first how many rows there are"},
      {{"stream", input, "--output", "rows"}, "its name does not say what to write there"},
      {{"stream", input, "--output", "rows", "--format", "npy"}, "a name that ends in .npy"},
      {{"stream", input, "--output", "rows.csv", "--format", "npy"}, "contradict each other"},
      {{"stream", input, "--output", folder_ / "there.csv"}, "exists; --force replaces it"},
      {{"stream", input, "--timestamps", "--scenes", "--format", "csv"}, "not both: --format jsonl"},
      {{"stream", input, "--tags", "3", "--format", "csv"}, "none are asked for: --format jsonl"},
      {{"stream", input, "--timestamps", "--tags", "3", "--format", "csv"}, "no place for tags"},
      {{"stream", input, "--encoding", "s24"}, "--encoding requires --rate"},
      {{"stream", input, "--rate", "12"}, "--rate"},
      {{"stream", input, "--idle-timeout", "soon"}, "--idle-timeout soon: seconds"},
  };
  for (const auto& [arguments, message] : wrong) {
    const ProgramResult result = Hearwire(arguments);
    EXPECT_EQ(result.exit_code, 1) << testing::PrintToString(arguments);
    EXPECT_THAT(result.err, StartsWith("hearwire: "));
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_EQ(Lines(result.err), 1) << result.err;
  }
  EXPECT_EQ(server_.calls(), 0);
}

TEST_F(HearwireStreamTest, EndsQuietlyWhenNobodyReadsItsOutput) {
  const std::string input = folder_.Write("a.raw", Samples(600));
  const std::string command = std::string(HEARWIRE_PROGRAM) + " stream --rate 1000 " + input;
  EXPECT_EQ(Program({"-c", command + " | head -n 1"}, "", "sh").Wait().err, "");
  const ProgramResult full = Program({"-c", command + " >/dev/full"}, "", "sh").Wait();
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_EQ(full.err, "hearwire: standard output: No space left on device\n");
}

TEST_F(HearwireStreamTest, SaysThatThereIsNoServer) {
  setenv("HEARWIRE_SERVER", "127.0.0.1:1", 1);
  const ProgramResult result = Hearwire({"stream", "--rate", "1000"}, Samples(1));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("start one with hearwire-server"));
}

}  // namespace
}  // namespace hearwire::cli
