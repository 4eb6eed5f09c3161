// The program hearwire, as a user runs it, against a fake server.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/hearwire_fixture.h"

namespace hearwire::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(HearwireTest, PrintsALineAboutEachFile) {
  const ProgramResult result = Hearwire({"embed", folder_.Write("a.wav", "abc"), folder_.Write("b.wav", "de")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            folder_ / "a.wav" + ": fake, 4 values: 3 294 0 0\n" + folder_ / "b.wav" + ": fake, 4 values: 2 201 0 0\n");
  EXPECT_EQ(result.err, "");
}

TEST_F(HearwireTest, ReadsStandardInput) {
  EXPECT_EQ(Hearwire({"embed", "-"}, "abc").out, "-: fake, 4 values: 3 294 0 0\n");
  EXPECT_EQ(Hearwire({"embed", "-", "--output", folder_ / "out"}, "abc").exit_code, 0);
  EXPECT_EQ(Npy(folder_ / "out/stdin.npy").values[1], 294);
  EXPECT_EQ(Hearwire({"embed", "-", "-"}, "abc").exit_code, 1);
}

TEST_F(HearwireTest, FindsOutLocallyWhatCannotBeSent) {
  const ProgramResult result = Hearwire({"embed", folder_ / "absent.wav", folder_.Write("empty.wav", ""),
                                         folder_.Write("large.wav", std::string(2000, 'x')),
                                         folder_.Write("fine.wav", "abc"), "--max-message-bytes", "1000"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("absent.wav: No such file or directory\n"));
  EXPECT_THAT(result.err, HasSubstr("empty.wav: is empty\n"));
  EXPECT_THAT(result.err, HasSubstr("large.wav: larger than 1000 bytes"));
  EXPECT_THAT(result.err, HasSubstr("3 of 4 files failed\n"));
  EXPECT_EQ(result.out, folder_ / "fine.wav" + ": fake, 4 values: 3 294 0 0\n");
  EXPECT_EQ(server_.service().attempts(), 1);
  TemporaryFolder empty;
  EXPECT_THAT(Hearwire({"embed", empty.path()}).err, HasSubstr("no audio files in this folder"));
}

TEST_F(HearwireTest, SendsSeveralFilesAtOnceButNoMoreThanAsked) {
  for (int i = 0; i < 40; ++i) folder_.Write("in/" + std::to_string(10 + i) + ".wav", std::string(1 + i, 'x'));
  const ProgramResult result = Hearwire({"embed", folder_ / "in", "--in-flight", "3", "--output", folder_ / "all.npy"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_LE(server_.service().most_at_once(), 3);
  const Array array = Npy(folder_ / "all.npy");
  ASSERT_THAT(array.shape, ElementsAre(40, 4));
  for (int i = 0; i < 40; ++i) EXPECT_EQ(array.values[4 * i], 1 + i);
}

TEST_F(HearwireTest, StopsWhenNoFileCanFareBetter) {
  folder_.Write("in/a.wav", "abc");
  folder_.Write("in/b.wav", "abc");
  const ProgramResult result =
      Hearwire({"embed", folder_ / "in", "--config", "unknown", "--in-flight", "1", "--output", folder_ / "o.npy"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "hearwire: " + folder_ / "in/a.wav" +
                            ": no config or network is called unknown; hearwire configs lists all\nhearwire: stopped: "
                            "1 of 2 files were not done\n");
  EXPECT_THAT(folder_.Files(), ElementsAre("in/a.wav", "in/b.wav"));
}

TEST_F(HearwireTest, GoesOnAfterAFailureOfTheMoment) {
  folder_.Write("in/a.wav", "abc");
  folder_.Write("in/b.wav", "abc");
  for (const grpc::StatusCode code : {grpc::StatusCode::CANCELLED, grpc::StatusCode::UNAVAILABLE}) {
    server_.service().RefuseNext(1, code, "-1");  // A negative pushback: not to be retried.
    const ProgramResult result = Hearwire({"embed", folder_ / "in", "--in-flight", "1"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(result.out, folder_ / "in/b.wav" + ": fake, 4 values: 3 294 0 0\n");
    EXPECT_EQ(result.err, "hearwire: " + folder_ / "in/a.wav" + ": come back later\nhearwire: 1 of 2 files failed\n");
  }
}

TEST_F(HearwireTest, TagsFiles) {
  const std::string input = folder_.Write("a.wav", "ab");
  const ProgramResult text = Hearwire({"tag", input, "--top-k", "2"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_EQ(text.out, input + "\n  0.500  Rain, \"heavy\"\n  0.333  Class 1\n");
  const auto json = nlohmann::json::parse(Hearwire({"tag", input, input, "--format", "json"}).out);
  EXPECT_EQ(json[1]["tags"].size(), 5u);
  EXPECT_EQ(json[1]["tags"][0]["name"], "Rain, \"heavy\"");
  const std::string csv = Hearwire({"tag", input, "--top-k", "1", "--format", "csv"}).out;
  EXPECT_EQ(csv, "file,rank,index,name,probability\n" + input + ",1,0,\"Rain, \"\"heavy\"\"\",0.5\n");
  EXPECT_EQ(Hearwire({"tag", input, "--network", "unknown"}).exit_code, 1);
}

TEST_F(HearwireTest, AdvisesAgainstTooLargeAReplyWhatItCanDo) {
  const std::string input = folder_.Write("a.wav", "huge");
  const std::string start =
      "hearwire: " + input +
      ": the reply would be at least 17 bytes, more than the server sends (16 bytes, its --max-reply-bytes): ";
  EXPECT_EQ(Hearwire({"embed", input}).err,
            start + "cut the file into shorter pieces, or use a --config with smaller embeddings\n");
  EXPECT_EQ(Hearwire({"tag", input}).err, start + "ask for fewer tags with --top-k\n");
}

TEST_F(HearwireTest, EscapesFilesNamesForPeopleOnly) {
  const std::string good = folder_.Write("\x1b[31m\ngood.wav", "ab");
  const std::string bad = folder_.Write("\x1b[31m\nbad.wav", "bad");
  const std::string shown = folder_ / "\\x1b[31m\\ngood.wav";
  const ProgramResult embedded = Hearwire({"embed", good, bad});
  EXPECT_EQ(embedded.out, shown + ": fake, 4 values: 2 195 0 0\n");
  EXPECT_THAT(embedded.err,
              testing::StartsWith("hearwire: " + folder_ / "\\x1b[31m\\nbad.wav" + ": not an audio file\n"));
  EXPECT_THAT(Hearwire({"tag", good}).out, testing::StartsWith(shown + "\n  0.500"));
  EXPECT_EQ(nlohmann::json::parse(Hearwire({"tag", good, "--format", "json"}).out)[0]["file"], good);
  EXPECT_THAT(Hearwire({"tag", good, "--format", "csv"}).out, HasSubstr("\"" + good + "\",1,"));
  EXPECT_EQ(nlohmann::json::parse(Hearwire({"embed", good, "--output", "-"}).out)[0]["file"], good);
}

TEST_F(HearwireTest, ListsConfigs) {
  const ProgramResult text = Hearwire({"configs"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("* fake    fake_as    yes         4           4  160 ms\n"));
  EXPECT_THAT(text.out, HasSubstr("  absent  absent_as  no"));
  const auto json = nlohmann::json::parse(Hearwire({"configs", "--loaded", "--format", "json"}).out);
  ASSERT_EQ(json["configs"].size(), 1u);
  EXPECT_EQ(json["configs"][0]["min_timestamp_samples"], 2561);
  EXPECT_EQ(json["limits"]["max_message_bytes"], 0);  // The fake server tells none.
}

TEST_F(HearwireTest, IsHealthyOnlyWhenTheServerServes) {
  EXPECT_EQ(Hearwire({"health"}).out, "SERVING\n");
  EXPECT_EQ(Hearwire({"health", "--service", "no.such"}).exit_code, 1);
  server_.SetServing(false);
  const ProgramResult result = Hearwire({"health"});
  EXPECT_EQ(result.out, "NOT_SERVING\n");
  EXPECT_EQ(result.exit_code, 1);
}

TEST_F(HearwireTest, SaysHowToStartAServerWhereThereIsNone) {
  server_.Shutdown();
  const std::string input = folder_.Write("a.wav", "abc");
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"embed", input, input}, {"tag", input}, {"configs"}, {"health"}}) {
    const ProgramResult result = Hearwire(arguments);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr("hearwire: no server at " + server_.address() +
                                      ": start one with hearwire-server, or name another with --server\n"));
  }
}

TEST_F(HearwireTest, EndsACallAtTheDeadline) {
  const ProgramResult result = Hearwire({"embed", folder_.Write("a.wav", "hang"), "--deadline", "200ms"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("within 200ms"));
}

TEST_F(HearwireTest, EndsCleanlyWhenInterrupted) {
  Program program(
      {"embed", folder_.Write("a.wav", "hang"), folder_.Write("b.wav", "hang"), "--output", folder_ / "o.npy"});
  while (server_.service().attempts() < 2) std::this_thread::yield();
  program.Signal(SIGINT);
  const ProgramResult result = program.Wait();
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_THAT(folder_.Files(), ElementsAre("a.wav", "b.wav"));
  EXPECT_EQ(result.err, "hearwire: interrupted: 0 of 2 files were done\n");
}

TEST_F(HearwireTest, TakesNoInterruptForTheEndOfItsInput) {
  const std::string pipe = folder_ / "pipe.wav";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (int i = 0; i < 5; ++i) {
    Program program({"embed", pipe});
    const int writer = open(pipe.c_str(), O_WRONLY);  // Returns when the program reads.
    // Ctrl-C ends the writer too: the end of the pipe and the signal come together.
    program.Signal(SIGSTOP);
    program.Signal(SIGINT);
    close(writer);
    program.Signal(SIGCONT);
    const ProgramResult result = program.Wait();
    EXPECT_EQ(result.exit_code, 130);
    EXPECT_EQ(result.err, "");
  }
}

TEST_F(HearwireTest, ShowsNoProgressWhereThereIsNoTerminal) {
  const std::string input = folder_.Write("a.wav", "abc");
  EXPECT_EQ(Hearwire({"embed", input, input, "--output", folder_ / "o.json"}).err, "");
}

TEST_F(HearwireTest, AnswersAWrongCommandLineInOneLine) {
  const std::vector<std::vector<std::string>> wrong = {{},
                                                       {"frobnicate"},
                                                       {"embed"},
                                                       {"embed", "a.wav", "--kind", "scenery"},
                                                       {"embed", "a.wav", "--output", ""},
                                                       {"embed", "a.wav", "--wrong"},
                                                       {"embed", "a.wav", "--in-flight", "0"},
                                                       {"embed", "a.wav", "--deadline", "soon"},
                                                       {"embed", "a.wav", "--deadline", "-1"},
                                                       {"health", "--server", "http://localhost"},
                                                       {"checkpoints"},
                                                       {"checkpoints", "fetch", "mn04_as"}};
  for (const auto& arguments : wrong) {
    const ProgramResult result = Hearwire(arguments);
    EXPECT_EQ(result.exit_code, 1) << testing::PrintToString(arguments);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_THAT(result.err, testing::StartsWith("hearwire: "));
  }
  EXPECT_THAT(Hearwire({"frobnicate"}).err, HasSubstr("frobnicate is no command"));
}

TEST_F(HearwireTest, PointsToTheHelpOfTheCommandThatWasMeant) {
  EXPECT_THAT(Hearwire({"embed"}).err, HasSubstr("(hearwire embed --help "));
  EXPECT_THAT(Hearwire({"checkpoints"}).err, HasSubstr("(hearwire checkpoints --help "));
  EXPECT_THAT(Hearwire({"checkpoints", "fetch"}).err, HasSubstr("(hearwire checkpoints fetch --help "));
  EXPECT_THAT(Hearwire({"checkpoints", "list", "extra"}).err, HasSubstr("(hearwire checkpoints list --help "));
}

TEST_F(HearwireTest, HelpsAndNamesItsVersion) {
  EXPECT_THAT(Hearwire({"--version"}).out, testing::StartsWith("hearwire "));
  for (const std::vector<std::string>& command : {std::vector<std::string>{},
                                                  {"embed"},
                                                  {"tag"},
                                                  {"configs"},
                                                  {"health"},
                                                  {"checkpoints"},
                                                  {"checkpoints", "fetch"}}) {
    std::vector<std::string> arguments = command;
    arguments.push_back("--help");
    const ProgramResult result = Hearwire(arguments);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.out, HasSubstr("Usage: hearwire"));
  }
}

}  // namespace
}  // namespace hearwire::cli
