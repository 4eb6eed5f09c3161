// What `hearwire embed` makes of folders as people have them, and of runs that end early.

#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/cli/hearwire_fixture.h"

namespace hearwire::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class HearwireFoldersTest : public HearwireTest {
 protected:
  std::string in() const { return folder_ / "in"; }
  std::string Line(const std::string& name) const { return in() + "/" + name + ": fake, 4 values: 3 294 0 0\n"; }
};

TEST_F(HearwireFoldersTest, LeavesOutAFolderThatCannotBeReadAndDoesTheRest) {
  folder_.Write("in/a/x.wav", "abc");
  folder_.Write("in/b/x.wav", "abc");
  folder_.Write("in/c/x.wav", "abc");
  chmod((in() + "/b").c_str(), 0);
  // Root, too, must ask for permission: without its capabilities.
  Program program({"--inh-caps=-all", "--bounding-set=-all", HEARWIRE_PROGRAM, "embed", in()}, "", "setpriv");
  const ProgramResult result = program.Wait();
  chmod((in() + "/b").c_str(), 0700);
  EXPECT_EQ(result.out, Line("a/x.wav") + Line("c/x.wav"));
  EXPECT_EQ(result.err, "hearwire: " + in() + "/b: Permission denied; it is left out\n");
  EXPECT_EQ(result.exit_code, 1);
}

TEST_F(HearwireFoldersTest, FollowsLinksAndSearchesEachFolderOnce) {
  folder_.Write("in/b/x.wav", "abc");
  folder_.Write("elsewhere/y.wav", "abc");
  fs::create_symlink(folder_ / "elsewhere", in() + "/linked");
  fs::create_symlink("..", in() + "/b/back");
  fs::create_symlink("b", in() + "/a");  // Sorts before what it leads to.
  const ProgramResult result = Hearwire({"embed", in()});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, Line("b/x.wav") + Line("linked/y.wav"));
  EXPECT_EQ(result.err, "hearwire: " + in() + "/b/back: is the same folder as " + in() +
                            ", which is searched once\nhearwire: " + in() + "/a: is the same folder as " + in() +
                            "/b, which is searched once\n");
}

TEST_F(HearwireFoldersTest, PassesOverNoSoundSilently) {
  folder_.Write("in/a.wav", "abc");
  folder_.Write("in/b.mid", "bad");  // No kind that is decoded: the server says so.
  folder_.Write("in/._a.wav", "abc");
  folder_.Write("in/readme.txt", "abc");
  fs::create_symlink("nowhere", in() + "/c.flac");
  fs::create_symlink("d.mp3", in() + "/d.mp3");
  ASSERT_EQ(mkfifo((in() + "/e.wav").c_str(), 0600), 0);
  const ProgramResult result = Hearwire({"embed", in()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out, Line("a.wav"));
  EXPECT_THAT(result.err, AllOf(HasSubstr(in() + "/b.mid: not an audio file\n"),
                                HasSubstr(in() + "/c.flac: No such file or directory; it is left out\n"),
                                HasSubstr(in() + "/d.mp3: Too many levels of symbolic links; it is left out\n"),
                                HasSubstr(in() + "/e.wav: is no file; it is left out\n"),
                                HasSubstr(in() + ": 1 audio file whose name begins with a dot is passed by\n"),
                                Not(HasSubstr("readme"))));
}

TEST_F(HearwireFoldersTest, GoesOnWhereARunHasEnded) {
  for (const char* name : {"in/a.wav", "in/b.wav", "in/c.wav"}) folder_.Write(name, "abc");
  const std::vector<std::string> command = {"embed", in(), "--output", folder_ / "out/", "--skip-existing"};
  folder_.Write("out/b.wav.npy", "made before");
  const ProgramResult first = Hearwire(command);
  EXPECT_EQ(first.exit_code, 0);
  EXPECT_EQ(first.err, "hearwire: 1 of 3 files were done before\n");
  EXPECT_EQ(ReadFile(folder_ / "out/b.wav.npy"), "made before");
  EXPECT_THAT(Npy(folder_ / "out/c.wav.npy").shape, ElementsAre(4));
  const ProgramResult second = Hearwire(command);
  EXPECT_EQ(second.exit_code, 0);
  EXPECT_EQ(second.err, "hearwire: 3 of 3 files were done before\n");
  EXPECT_EQ(server_.service().attempts(), 2);
}

TEST_F(HearwireFoldersTest, DoesAgainWhatIsThereByHalf) {
  folder_.Write("in/a.wav", "abc");
  folder_.Write("out/a.wav.timestamps.npy", "half of it");
  const ProgramResult result =
      Hearwire({"embed", in(), "--kind", "timestamps", "--output", folder_ / "out", "--skip-existing"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(Npy(folder_ / "out/a.wav.timestamps.npy").values, ElementsAre(0));
  EXPECT_THAT(Npy(folder_ / "out/a.wav.npy").shape, ElementsAre(1, 4));
}

TEST_F(HearwireFoldersTest, SkipsOnlyWhereEachInputHasAFile) {
  const std::string input = folder_.Write("a.wav", "abc");
  for (const std::vector<std::string>& output : {std::vector<std::string>{}, {"--output", folder_ / "all.csv"}}) {
    std::vector<std::string> command = {"embed", input, "--skip-existing"};
    command.insert(command.end(), output.begin(), output.end());
    EXPECT_THAT(Hearwire(command).err, HasSubstr("--skip-existing goes with a folder"));
  }
}

TEST_F(HearwireFoldersTest, KeepsWhatWasDoneWhenInterrupted) {
  const std::string a = folder_.Write("a.wav", "abc");
  const std::string b = folder_.Write("b.wav", "hang");
  for (const std::string name : {"o.csv", "o.npy", "o.json", "o/"}) {
    const int before = server_.service().attempts();
    Program program({"embed", a, b, "--output", folder_ / name, "--in-flight", "1"});
    while (server_.service().attempts() < before + 2) std::this_thread::yield();
    program.Signal(SIGINT);
    const ProgramResult result = program.Wait();
    EXPECT_EQ(result.exit_code, 130);
    EXPECT_EQ(result.err, "hearwire: interrupted: 1 of 2 files were done; they are in " + folder_ / name + "\n");
  }
  EXPECT_EQ(ReadFile(folder_ / "o.csv"), "file,e0,e1,e2,e3\n" + a + ",3,294,0,0\n");
  EXPECT_THAT(Npy(folder_ / "o.npy").shape, ElementsAre(1, 4));
  EXPECT_THAT(ReadFile(folder_ / "o.json"), testing::EndsWith("]\n"));
  EXPECT_THAT(folder_.Files(),
              ElementsAre("a.wav", "b.wav", "o.csv", "o.files.json", "o.json", "o.npy", "o/a.wav.npy"));
}

TEST_F(HearwireFoldersTest, RefusesANameWithAnEndingThatItDoesNotKnow) {
  const std::string input = folder_.Write("a.wav", "abc");
  EXPECT_EQ(Hearwire({"embed", input, "--output", folder_ / "out.h5"}).err,
            "hearwire: --output " + folder_ / "out.h5" +
                ": a name that ends in .npy, .csv or .json would be right, or for "
                "a folder " +
                folder_ / "out.h5/\n");
  EXPECT_EQ(Hearwire({"embed", input, "--output", folder_ / "out.h5/"}).exit_code, 0);
  EXPECT_EQ(Hearwire({"embed", input, "--output", folder_ / "out.h5", "--force"}).exit_code, 0);  // A folder now.
  EXPECT_EQ(Hearwire({"embed", input, "--output", folder_ / "out"}).exit_code, 0);
  for (const std::vector<std::string>& how :
       {std::vector<std::string>{"--output", folder_ / "o.parquet"}, {"--output", "x/", "--format", "parquet"}}) {
    std::vector<std::string> command = {"embed", input};
    command.insert(command.end(), how.begin(), how.end());
    EXPECT_THAT(Hearwire(command).err, HasSubstr("Parquet is written in Python"));
  }
}

TEST_F(HearwireFoldersTest, SaysHowToNameAFileThatBeginsWithADash) {
  folder_.Write("-dog.wav", "abc");
  const fs::path before = fs::current_path();
  fs::current_path(folder_.path());
  EXPECT_THAT(Hearwire({"embed", "-dog.wav"}).err,
              HasSubstr("a file whose name begins with - goes after --: -- -dog.wav"));
  EXPECT_THAT(Hearwire({"embed", "--wrong"}).err, Not(HasSubstr("begins with -")));
  EXPECT_EQ(Hearwire({"embed", "--", "-dog.wav"}).out, "-dog.wav: fake, 4 values: 3 294 0 0\n");
  fs::current_path(before);
}

}  // namespace
}  // namespace hearwire::cli
