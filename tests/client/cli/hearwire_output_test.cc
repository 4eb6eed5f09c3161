// Where the program hearwire puts its results, and what it does where it cannot.

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/hearwire_fixture.h"

namespace hearwire::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class HearwireOutputTest : public HearwireTest {};

TEST_F(HearwireOutputTest, WritesOneFilesEmbeddingAsAnArray) {
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

TEST_F(HearwireOutputTest, WritesTimestampsBesideTheirEmbeddings) {
  const ProgramResult result = Hearwire(
      {"embed", folder_.Write("a.wav", std::string(2000, 'x')), "--kind", "timestamps", "--output", folder_ / "a.npy"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(Npy(folder_ / "a.npy").shape, ElementsAre(2, 4));
  EXPECT_THAT(Npy(folder_ / "a.npy").values,
              ElementsAre(0, 2000, 2000 * 'x' % 65536, 0, 1, 2000, 2000 * 'x' % 65536, 0));
  EXPECT_THAT(Npy(folder_ / "a.timestamps.npy").values, ElementsAre(0, 50));
}

TEST_F(HearwireOutputTest, StacksTheScenesOfSeveralFilesAndNamesThem) {
  const ProgramResult result = Hearwire({"embed", folder_.Write("b.wav", "late"), folder_.Write("bad.wav", "bad"),
                                         folder_.Write("a.wav", "abc"), "--output", folder_ / "all.npy"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "hearwire: " + folder_ / "bad.wav" + ": not an audio file\nhearwire: 1 of 3 files failed\n");
  EXPECT_THAT(Npy(folder_ / "all.npy").shape, ElementsAre(2, 4));
  EXPECT_THAT(Npy(folder_ / "all.npy").values, ElementsAre(4, 'l' + 'a' + 't' + 'e', 0, 0, 3, 294, 0, 0));
  EXPECT_EQ(nlohmann::json::parse(ReadFile(folder_ / "all.files.json")),
            nlohmann::json({folder_ / "b.wav", folder_ / "a.wav"}));
}

TEST_F(HearwireOutputTest, WritesAFileForEachInputOfFolders) {
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

TEST_F(HearwireOutputTest, WritesJsonAndCsvOfAllFiles) {
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

TEST_F(HearwireOutputTest, KeepsAnOutputThatExistsUnlessForced) {
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

TEST_F(HearwireOutputTest, WritesIntoAPipeAndThroughALink) {
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

TEST_F(HearwireOutputTest, WritesToStandardOutputByAnotherName) {
  const std::string input = folder_.Write("a.wav", "abc");
  const ProgramResult result = Hearwire({"embed", input, "--output", "/proc/self/fd/1", "--format", "json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, Hearwire({"embed", input, "--output", "-"}).out);
  EXPECT_THAT(Hearwire({"embed", input, "--output", "/proc/self/fd/1"}).err, HasSubstr("--format"));
}

TEST_F(HearwireOutputTest, LeavesNoOutputWhenAllFails) {
  EXPECT_EQ(Hearwire({"embed", folder_.Write("bad.wav", "bad"), "--output", folder_ / "a.npy"}).exit_code, 1);
  EXPECT_THAT(folder_.Files(), ElementsAre("bad.wav"));
}

TEST_F(HearwireOutputTest, RefusesOutputsThatCannotBeRight) {
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

TEST_F(HearwireOutputTest, WritesJsonInWholeLines) {
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

TEST_F(HearwireOutputTest, EndsQuietlyWhenNobodyReadsItsOutput) {
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

TEST_F(HearwireOutputTest, SaysOnceWhyItsOutputCannotBeWritten) {
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
