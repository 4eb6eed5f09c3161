#include "models/chunks/chunk_graphs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr ChunkShape kShape = {256, 16, 128};
const std::vector<Column> kColumns = {{Feature::kLogits, Reduction::kNone, 0, 527}};

// Records work as its number, and notes what is run, recorded and launched.
class ChunkGraphsTest : public testing::Test {
 protected:
  class FakeGraph final : public LaunchGraph {
   public:
    FakeGraph(ChunkGraphsTest& test, std::string name) : test_(test), name_(std::move(name)) { ++test_.alive_; }
    ~FakeGraph() override { --test_.alive_; }
    void Launch() override { test_.events_.push_back("launch " + name_); }

   private:
    ChunkGraphsTest& test_;
    const std::string name_;
  };

  // Returns what happened.
  std::vector<std::string> Run(const std::string& name, int network = 0, const ChunkShape& shape = kShape,
                               const std::vector<Column>& columns = kColumns) {
    events_.clear();
    graphs_.Run(network, shape, columns, [&] { events_.push_back("run " + name); });
    return events_;
  }

  void RunTimes(int times, int network) {
    for (int i = 0; i < times; ++i) Run("x", network);
  }

  bool can_record_ = true;
  int alive_ = 0;  // Graphs.
  std::vector<std::string> events_;
  std::vector<std::string> warnings_;
  ChunkGraphs graphs_{[this](const std::function<void()>& work) -> std::unique_ptr<LaunchGraph> {
                        if (!can_record_) throw std::runtime_error("stream capture is unsupported");
                        work();
                        std::string name = events_.back().substr(4);
                        events_.back() = "record " + name;
                        return std::make_unique<FakeGraph>(*this, std::move(name));
                      },
                      [this](const std::string& message) { warnings_.push_back(message); }};
};

TEST_F(ChunkGraphsTest, RecordsTheThirdChunkAndReplaysIt) {
  EXPECT_THAT(Run("a"), ElementsAre("run a"));
  EXPECT_THAT(Run("b"), ElementsAre("run b"));
  EXPECT_THAT(Run("c"), ElementsAre("record c", "launch c"));
  EXPECT_THAT(Run("d"), ElementsAre("launch c"));
  EXPECT_THAT(Run("e"), ElementsAre("launch c"));
}

TEST_F(ChunkGraphsTest, ReplaysOnlyWhatDoesTheSame) {
  RunTimes(3, 0);
  EXPECT_THAT(Run("other network", 1), ElementsAre("run other network"));
  EXPECT_THAT(Run("other windows", 0, {512, 16, 128}), ElementsAre("run other windows"));
  EXPECT_THAT(Run("other frames", 0, {256, 20, 128}), ElementsAre("run other frames"));
  EXPECT_THAT(Run("other columns", 0, kShape, {{Feature::kClf1, Reduction::kNone, 0, 960}}),
              ElementsAre("run other columns"));
  EXPECT_THAT(Run("the same"), ElementsAre("launch x"));
}

TEST_F(ChunkGraphsTest, KeepsFewGraphsAndThoseThatAreUsed) {
  constexpr int kMost = static_cast<int>(ChunkGraphs::kMaxGraphs);
  for (int network = 0; network < kMost; ++network) RunTimes(3, network);
  EXPECT_EQ(alive_, kMost);
  // All are in use: another one has to run by itself, however often it comes.
  for (int i = 0; i < 10; ++i) {
    for (int network = 0; network < kMost; ++network) EXPECT_THAT(Run("y", network), ElementsAre("launch x"));
    EXPECT_THAT(Run("late", kMost), ElementsAre("run late"));
  }
  // Network 0 is used no more: its graph makes room.
  for (int i = 0; i < ChunkGraphs::kKeptChunks; ++i) Run("y", 1 + i % (kMost - 1));
  EXPECT_THAT(Run("late", kMost), ElementsAre("record late", "launch late"));
  EXPECT_EQ(alive_, kMost);
  EXPECT_EQ(graphs_.graphs(), ChunkGraphs::kMaxGraphs);
  EXPECT_THAT(Run("z", 1), ElementsAre("launch x"));
  EXPECT_THAT(Run("z", 0), ElementsAre("run z"));
}

TEST_F(ChunkGraphsTest, CountsABoundedNumberOfChunks) {
  RunTimes(3, 0);
  Run("rare", 1);
  for (int i = 0; i < static_cast<int>(ChunkGraphs::kMaxKnown); ++i) Run("x", 2 + i);
  EXPECT_THAT(Run("y", 0), ElementsAre("launch x")) << "graphs stay";
  Run("rare", 1);
  EXPECT_THAT(Run("rare", 1), ElementsAre("run rare")) << "the first time was forgotten";
}

TEST_F(ChunkGraphsTest, RunsChunksThatCannotBeRecordedAndWarnsOnce) {
  RunTimes(3, 0);
  can_record_ = false;
  RunTimes(2, 1);
  EXPECT_THAT(Run("a", 1), ElementsAre("run a"));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("stream capture is unsupported")));
  can_record_ = true;
  EXPECT_THAT(Run("b", 1), ElementsAre("run b"));
  EXPECT_THAT(Run("c", 0), ElementsAre("launch x")) << "what was recorded is good";
  EXPECT_EQ(warnings_.size(), 1u);
}

TEST_F(ChunkGraphsTest, ForgetsItsGraphs) {
  RunTimes(3, 0);
  graphs_.Clear();
  EXPECT_EQ(alive_, 0);
  EXPECT_THAT(Run("a"), ElementsAre("run a"));
  EXPECT_THAT(Run("b"), ElementsAre("run b"));
  EXPECT_THAT(Run("c"), ElementsAre("record c", "launch c"));
}

TEST_F(ChunkGraphsTest, PassesOnWhatTheWorkThrows) {
  const auto fail = [] { throw std::runtime_error("out of memory"); };
  EXPECT_THROW(graphs_.Run(0, kShape, kColumns, fail), std::runtime_error);
  EXPECT_THAT(Run("a"), ElementsAre("run a"));
  EXPECT_THAT(Run("b"), ElementsAre("run b"));
  EXPECT_THAT(Run("c"), ElementsAre("record c", "launch c")) << "only what ran counts";
  EXPECT_THAT(warnings_, IsEmpty());
}

}  // namespace
}  // namespace hearwire
