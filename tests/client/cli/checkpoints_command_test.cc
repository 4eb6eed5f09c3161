// hearwire checkpoints, against a file server.

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/cli/http_server.h"
#include "tests/client/cli/program.h"
#include "tests/fixtures/shared_data.h"

namespace hearwire::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What looks like a checkpoint without being one.
const std::string kArchive =
    "PK\x03\x04" + std::string(100'000, 'x') + "net/data.pkl" + "PK\x05\x06" + std::string(18, 'x');

class CheckpointsCommandTest : public testing::Test {
 protected:
  ProgramResult Fetch(const std::string& mode, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"checkpoints",        "fetch",  "--from",
                                          server_.url() + mode, "--into", local_.path()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Hearwire(arguments);
  }

  TemporaryFolder remote_;
  TemporaryFolder local_;
  HttpServer server_{remote_.path()};
};

TEST_F(CheckpointsCommandTest, ListsNetworksAndWhereTheyAre) {
  const ProgramResult all = Hearwire({"checkpoints", "list"});
  EXPECT_EQ(all.exit_code, 0);
  EXPECT_THAT(all.out, HasSubstr("mn10_as                  1.0  mn10_as_mAP_471.pt"));
  EXPECT_THAT(all.out, HasSubstr("899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c"));
  local_.Write("mn10_as.pt", kArchive);
  const ProgramResult here = Hearwire({"checkpoints", "list", "--into", local_.path()});
  EXPECT_THAT(here.out, HasSubstr("mn10_as_mAP_471.pt                 mn10_as.pt, 0.1 MB\n"));
  EXPECT_THAT(here.out, HasSubstr("mn04_as_mAP_432.pt                 -\n"));
}

TEST_F(CheckpointsCommandTest, KnowsPublishedCheckpointsThatNoConfigReads) {
  EXPECT_THAT(Hearwire({"checkpoints", "list"}).out, HasSubstr("mn40_as_ext              4.0  mn40_as_ext_mAP_487.pt"));
  remote_.Write("mn40_as_ext_mAP_487.pt", kArchive);
  EXPECT_EQ(Fetch("good", {"mn40_as_ext"}).exit_code, 0);
  EXPECT_EQ(ReadFile(local_ / "mn40_as_ext_mAP_487.pt"), kArchive);
}

TEST_F(CheckpointsCommandTest, OfTwoFilesMeansTheOneThatAServerReads) {
  remote_.Write("mn10_as_mAP_471.pt", kArchive);
  local_.Write("mn10_as.pt", "old");
  local_.Write("mn10_as_mAP_471.pt", "other");
  EXPECT_THAT(Hearwire({"checkpoints", "list", "--into", local_.path()}).out, HasSubstr(" mn10_as.pt, 0.0 MB\n"));
  // What is fetched would be of no use beside a file that goes before it.
  const ProgramResult result = Fetch("good", {"mn10_as", "--force"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(ReadFile(local_ / "mn10_as.pt"), kArchive);
  EXPECT_EQ(ReadFile(local_ / "mn10_as_mAP_471.pt"), "other");
}

TEST_F(CheckpointsCommandTest, FetchesAndPrintsTheHash) {
  remote_.Write("mn10_as_mAP_471.pt", kArchive);
  const ProgramResult result = Fetch("good", {"mn10_as"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, testing::StartsWith("mn10_as: " + local_ / "mn10_as_mAP_471.pt" + ", 0.1 MB, SHA-256 "));
  EXPECT_EQ(ReadFile(local_ / "mn10_as_mAP_471.pt"), kArchive);

  const ProgramResult again = Fetch("good", {"mn10_as"});
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_THAT(again.out, HasSubstr("there already"));
  EXPECT_EQ(server_.requests(), "/good/mn10_as_mAP_471.pt -\n");
  EXPECT_EQ(Fetch("good", {"mn10_as", "--force"}).exit_code, 0);
  EXPECT_EQ(server_.requests(), "/good/mn10_as_mAP_471.pt -\n/good/mn10_as_mAP_471.pt -\n");
}

TEST_F(CheckpointsCommandTest, RefusesWhatIsNotThePublishedFile) {
  remote_.Write("mn04_as_mAP_432.pt", kArchive);
  const ProgramResult wrong = Fetch("good", {"mn04_as"});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("not the published file"));
  remote_.Write("mn01_as_mAP_298.pt", "<html>Sign in</html>");
  EXPECT_THAT(Fetch("good", {"mn01_as"}).err, HasSubstr("not a checkpoint"));
  remote_.Write("mn01_as_mAP_298.pt", kArchive.substr(0, 50'000));
  EXPECT_THAT(Fetch("good", {"mn01_as"}).err, HasSubstr("not a whole checkpoint"));
  remote_.Write("mn01_as_mAP_298.pt", "PK\x03\x04 nothing PK\x05\x06");
  EXPECT_THAT(Fetch("good", {"mn01_as"}).err, HasSubstr("without a data.pkl"));
  EXPECT_THAT(local_.Files(), IsEmpty());

  local_.Write("mn04_as_mAP_432.pt", kArchive);
  EXPECT_THAT(Fetch("good", {"mn04_as"}).err, HasSubstr("--force fetches it anew"));
}

TEST_F(CheckpointsCommandTest, VerifiesThePublishedFile) {
  HEARWIRE_SKIP_WITHOUT_SHARED_DATA();
  remote_.Write("mn04_as_mAP_432.pt", ReadFile(SharedDataDir() + "/golden/checkpoints/mn04_as_mAP_432.pt"));
  const ProgramResult result = Fetch("cut", {"mn04_as"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("(verified)"));
}

TEST_F(CheckpointsCommandTest, FetchesTheRestWhenOneFails) {
  remote_.Write("mn02_as_mAP_378.pt", kArchive);
  const ProgramResult result = Fetch("good", {"mn01_as", "hearwire_mn01", "mn02_as"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              HasSubstr("mn01_as: " + server_.url() + "good/mn01_as_mAP_298.pt: the server has no such file"));
  EXPECT_THAT(result.out, HasSubstr("hearwire_mn01: embedded in the server"));
  EXPECT_THAT(local_.Files(), ElementsAre("mn02_as_mAP_378.pt"));
}

TEST_F(CheckpointsCommandTest, RefusesWhatItCannotFetch) {
  EXPECT_THAT(Hearwire({"checkpoints", "fetch", "mn99", "--into", local_.path()}).err,
              HasSubstr("no network is called mn99"));
  EXPECT_THAT(Hearwire({"checkpoints", "fetch", "mn01_as", "--into", local_.path(), "--from", "file:///tmp"}).err,
              HasSubstr("http:// or https://"));
  EXPECT_EQ(Hearwire({"checkpoints", "fetch", "mn01_as", "--into", "/proc/nowhere"}).exit_code, 1);
}

}  // namespace
}  // namespace hearwire::cli
