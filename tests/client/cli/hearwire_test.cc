// The program hearwire, as a user runs it, against a fake server.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/program.h"
#include "tests/client/fake_server.h"
#include "tests/fixtures/npy.h"

namespace hearwire::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class HearwireTest : public testing::Test {
 protected:
  HearwireTest() { setenv("HEARWIRE_SERVER", server_.address().c_str(), 1); }

  Array Npy(const std::string& path) {
    auto array = ReadNpy(path);
    EXPECT_TRUE(array.ok()) << array.status();
    return array.ok() ? *array : Array();
  }

  client::FakeServer server_;
  TemporaryFolder folder_;
};

TEST_F(HearwireTest, PrintsALineAboutEachFile) {
  const ProgramResult result = Hearwire({"embed", folder_.Write("a.wav", "abc"), folder_.Write("b.wav", "de")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            folder_ / "a.wav" + ": fake, 4 values: 3 294 0 0\n" + folder_ / "b.wav" + ": fake, 4 values: 2 201 0 0\n");
  EXPECT_EQ(result.err, "");
}

TEST_F(HearwireTest, WritesOneFilesEmbeddingAsAnArray) {
  const ProgramResult result =
      Hearwire({"embed", folder_.Write("a.wav", "abc"), "--config", "mine", "--output", folder_ / "a.npy"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Array array = Npy(folder_ / "a.npy");
  EXPECT_THAT(array.shape, ElementsAre(4));
  EXPECT_THAT(array.values, ElementsAre(3, 294, 0, 0));
  EXPECT_EQ(ReadFile(folder_ / "a.npy").size(), 128 + 16u);
  EXPECT_THAT(server_.service().configs_asked_for(), ElementsAre("mine"));
  EXPECT_THAT(folder_.Files(), ElementsAre("a.npy", "a.wav"));
}

TEST_F(HearwireTest, WritesTimestampsBesideTheirEmbeddings) {
  const ProgramResult result = Hearwire(
      {"embed", folder_.Write("a.wav", std::string(2000, 'x')), "--kind", "timestamps", "--output", folder_ / "a.npy"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(Npy(folder_ / "a.npy").shape, ElementsAre(2, 4));
  EXPECT_THAT(Npy(folder_ / "a.npy").values,
              ElementsAre(0, 2000, 2000 * 'x' % 65536, 0, 1, 2000, 2000 * 'x' % 65536, 0));
  EXPECT_THAT(Npy(folder_ / "a.timestamps.npy").values, ElementsAre(0, 50));
}

TEST_F(HearwireTest, StacksTheScenesOfSeveralFilesAndNamesThem) {
  const ProgramResult result = Hearwire({"embed", folder_.Write("b.wav", "late"), folder_.Write("bad.wav", "bad"),
                                         folder_.Write("a.wav", "abc"), "--output", folder_ / "all.npy"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "hearwire: " + folder_ / "bad.wav" + ": not an audio file\nhearwire: 1 of 3 files failed\n");
  EXPECT_THAT(Npy(folder_ / "all.npy").shape, ElementsAre(2, 4));
  EXPECT_THAT(Npy(folder_ / "all.npy").values, ElementsAre(4, 'l' + 'a' + 't' + 'e', 0, 0, 3, 294, 0, 0));
  EXPECT_EQ(nlohmann::json::parse(ReadFile(folder_ / "all.files.json")),
            nlohmann::json({folder_ / "b.wav", folder_ / "a.wav"}));
}

TEST_F(HearwireTest, WritesAFileForEachInputOfFolders) {
  folder_.Write("in/one/x.wav", "a");
  folder_.Write("in/one/deep/x.FLAC", "ab");
  folder_.Write("in/one/notes.txt", "no sound");
  folder_.Write("in/one/.hidden.wav", "no sound");
  folder_.Write("in/two/x.wav", "abc");
  const ProgramResult result =
      Hearwire({"embed", folder_ / "in/one", folder_ / "in/two/", "--output", folder_ / "out"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(Npy(folder_ / "out/one/deep/x.FLAC.npy").values[0], 2);
  EXPECT_EQ(Npy(folder_ / "out/one/x.wav.npy").values[0], 1);
  EXPECT_EQ(Npy(folder_ / "out/two/x.wav.npy").values[0], 3);
  EXPECT_EQ(server_.service().attempts(), 3);

  const ProgramResult single =
      Hearwire({"embed", folder_ / "in/one", "--output", folder_ / "flat", "--kind", "timestamps", "--format", "csv"});
  ASSERT_EQ(single.exit_code, 0) << single.err;
  EXPECT_EQ(ReadFile(folder_ / "flat/deep/x.FLAC.csv"),
            "file,timestamp_ms,e0,e1,e2,e3\n" + folder_ / "in/one/deep/x.FLAC" + ",0,0,2,195,0\n");
}

TEST_F(HearwireTest, WritesJsonAndCsvOfAllFiles) {
  const std::string quoted = folder_.Write("a \"b\",c.wav", "abc");
  const std::string plain = folder_.Write("d.wav", std::string(2000, 'x'));
  const ProgramResult scenes = Hearwire({"embed", quoted, plain, "--output", "-"});
  ASSERT_EQ(scenes.exit_code, 0) << scenes.err;
  const auto json = nlohmann::json::parse(scenes.out);
  ASSERT_EQ(json.size(), 2u);
  EXPECT_EQ(json[0]["file"], quoted);
  EXPECT_EQ(json[0]["embedding"], nlohmann::json({3, 294, 0, 0}));
  EXPECT_EQ(json[0]["weights_sha256"], "abc123");

  ASSERT_EQ(Hearwire({"embed", quoted, plain, "--kind", "timestamps", "--output", folder_ / "t.json"}).exit_code, 0);
  const auto timestamps = nlohmann::json::parse(ReadFile(folder_ / "t.json"));
  EXPECT_EQ(timestamps[1]["timestamps_ms"], nlohmann::json({0, 50}));
  EXPECT_EQ(timestamps[1]["embeddings"].size(), 2u);

  const ProgramResult csv = Hearwire({"embed", quoted, "--format", "csv"});
  EXPECT_EQ(csv.out, "file,e0,e1,e2,e3\n\"" + folder_ / "a \"\"b\"\",c.wav" + "\",3,294,0,0\n");
}

TEST_F(HearwireTest, KeepsAnOutputThatExistsUnlessForced) {
  const std::string input = folder_.Write("a.wav", "abc");
  folder_.Write("a.npy", "precious");
  const ProgramResult kept = Hearwire({"embed", input, "--output", folder_ / "a.npy"});
  EXPECT_EQ(kept.exit_code, 1);
  EXPECT_THAT(kept.err, HasSubstr("a.npy: exists; --force replaces it"));
  EXPECT_EQ(ReadFile(folder_ / "a.npy"), "precious");
  folder_.Write("out/a.wav.npy", "precious");
  EXPECT_EQ(Hearwire({"embed", input, "--output", folder_ / "out"}).exit_code, 1);
  EXPECT_EQ(server_.service().attempts(), 0) << "found out only after the work";

  EXPECT_EQ(Hearwire({"embed", input, "--output", folder_ / "a.npy", "--force"}).exit_code, 0);
  EXPECT_EQ(Hearwire({"embed", input, "--output", folder_ / "out", "--force"}).exit_code, 0);
  EXPECT_THAT(Npy(folder_ / "a.npy").shape, ElementsAre(4));
  EXPECT_THAT(Npy(folder_ / "out/a.wav.npy").shape, ElementsAre(4));
}

TEST_F(HearwireTest, WritesIntoAPipeAndThroughALink) {
  const std::string input = folder_.Write("a.wav", "abc");
  const std::string pipe = folder_ / "p.json";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const std::vector<std::vector<std::string>> commands = {{"embed", input, "--output", pipe},
                                                          {"embed", input, "--output", pipe, "--force"}};
  for (const auto& command : commands) {
    Program program(command);
    const auto json = nlohmann::json::parse(ReadFile(pipe), nullptr, /*allow_exceptions=*/false);
    EXPECT_EQ(program.Wait().exit_code, 0);
    ASSERT_EQ(json.size(), 1u);
    EXPECT_EQ(json[0]["embedding"], nlohmann::json({3, 294, 0, 0}));
    EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  }
  folder_.Write("real.npy", "precious");
  std::filesystem::create_symlink("real.npy", folder_ / "link.npy");
  EXPECT_EQ(Hearwire({"embed", input, "--output", folder_ / "link.npy", "--force"}).exit_code, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "link.npy"));
  EXPECT_THAT(Npy(folder_ / "real.npy").shape, ElementsAre(4));
}

TEST_F(HearwireTest, WritesToStandardOutputByAnotherName) {
  const std::string input = folder_.Write("a.wav", "abc");
  const ProgramResult result = Hearwire({"embed", input, "--output", "/proc/self/fd/1", "--format", "json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, Hearwire({"embed", input, "--output", "-"}).out);
  EXPECT_THAT(Hearwire({"embed", input, "--output", "/proc/self/fd/1"}).err, HasSubstr("--format"));
}

TEST_F(HearwireTest, LeavesNoOutputWhenAllFails) {
  EXPECT_EQ(Hearwire({"embed", folder_.Write("bad.wav", "bad"), "--output", folder_ / "a.npy"}).exit_code, 1);
  EXPECT_THAT(folder_.Files(), ElementsAre("bad.wav"));
}

TEST_F(HearwireTest, RefusesOutputsThatCannotBeRight) {
  const std::string a = folder_.Write("x/a.wav", "abc");
  const std::string b = folder_.Write("y/a.wav", "abc");
  const std::vector<std::vector<std::string>> wrong = {
      {"embed", a, b, "--kind", "timestamps", "--output", folder_ / "t.npy"},
      {"embed", a, b, "--format", "npy", "--output", "-"},
      {"embed", a, "--format", "csv", "--output", folder_ / "t.npy"},
      {"embed", a, "--output", folder_ / "no/such/folder.npy"},
      {"embed", a, b, "--output", folder_ / "out"},  // Both would be out/a.wav.npy.
      {"embed", a, "--output", a},
  };
  for (const auto& arguments : wrong) {
    const ProgramResult result = Hearwire(arguments);
    EXPECT_EQ(result.exit_code, 1) << testing::PrintToString(arguments);
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
  EXPECT_EQ(server_.service().attempts(), 0);
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

TEST_F(HearwireTest, WritesJsonInWholeLines) {
  const std::string good = folder_.Write("a.wav", "abc");
  const std::string bad = folder_.Write("bad.wav", "bad");
  for (const std::string command : {"embed --output -", "tag --format json"}) {
    const std::string files = " " + good + " " + bad + " " + good;
    const ProgramResult result =
        Program({"-c", std::string(HEARWIRE_PROGRAM) + " " + command + files + " 2>&1"}, "", "sh").Wait();
    std::string json;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind("hearwire: ", 0) != 0) json += line;
    }
    EXPECT_THAT(json, Not(HasSubstr("hearwire: "))) << "an error's line begins within another";
    EXPECT_EQ(nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false).size(), 2u) << result.out;
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
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0]["min_timestamp_samples"], 2561);
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
      {"embed", folder_.Write("a.wav", "abc"), folder_.Write("b.wav", "hang"), "--output", folder_ / "o.npy"});
  while (server_.service().attempts() < 2) std::this_thread::yield();
  program.Signal(SIGINT);
  const ProgramResult result = program.Wait();
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_THAT(folder_.Files(), ElementsAre("a.wav", "b.wav"));
  EXPECT_EQ(result.err, "");
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

TEST_F(HearwireTest, EndsQuietlyWhenNobodyReadsItsOutput) {
  const std::string input = folder_.Write("a.wav", std::string(60000, 'x'));
  // More than a pipe holds, and a reader that has gone.
  const ProgramResult result = Program({"-c", std::string(HEARWIRE_PROGRAM) + " tag --top-k 0 --format csv " + input +
                                                  " " + input + " " + input + " " + input + " | true"},
                                       "", "sh")
                                   .Wait();
  EXPECT_THAT(result.err, IsEmpty());
  const ProgramResult full =
      Program({"-c", std::string(HEARWIRE_PROGRAM) + " embed " + input + " >/dev/full"}, "", "sh").Wait();
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_THAT(full.err, HasSubstr("No space left on device"));
}

TEST_F(HearwireTest, SaysOnceWhyItsOutputCannotBeWritten) {
  const std::string input = folder_.Write("a.wav", std::string(60000, 'x'));
  for (const std::string& command :
       {"embed " + input, "embed " + input + " --output -", "tag --top-k 0 " + input, std::string("configs"),
        std::string("configs --format json"), std::string("health"), std::string("checkpoints list")}) {
    const ProgramResult full =
        Program({"-c", std::string(HEARWIRE_PROGRAM) + " " + command + " >/dev/full"}, "", "sh").Wait();
    EXPECT_EQ(full.exit_code, 1) << command;
    EXPECT_THAT(full.err, HasSubstr("standard output: No space left on device\n")) << command;
    EXPECT_EQ(std::count(full.err.begin(), full.err.end(), '\n'), 1) << full.err;
  }
}

}  // namespace
}  // namespace hearwire::cli
