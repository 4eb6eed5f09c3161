#include "server/rpc/classify_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "models/configs/network_shape.h"
#include "models/heads/head_scores.h"
#include "tests/fixtures/head_file.h"

namespace hearwire {
namespace {

constexpr int kLabels = 40;
constexpr int kClips = 3;
constexpr int kRows = 500;  // Of each clip.

class ClassifyWriterTest : public ::testing::Test {
 protected:
  std::shared_ptr<const LoadedHead> MakeLoaded(const std::string& name, Head::Kind kind, size_t label_length) {
    const Config* config = FindConfig(kEmbeddedConfigName);
    LoadedHead loaded;
    loaded.head = ParseHead(MakeHeadFile(config->name, {config->embedding_size(), kLabels}).Bytes(), name).value();
    loaded.head.kind = kind;
    for (std::string& label : loaded.head.labels) label.resize(label_length, 'x');
    loaded.config = Unowned(config);
    loaded.network = network_;
    return std::make_shared<const LoadedHead>(std::move(loaded));
  }

  // The reply of one head, with its reservation.
  struct Written {
    int64_t reserved = 0;
    int64_t held_per_byte = 0;
    v1::ClassifyResponse reply;
  };
  Written Write(const std::shared_ptr<const LoadedHead>& loaded, uint32_t top_k) {
    LanePlan plan;
    std::vector<PlannedHead> planned = PlanHeads({&loaded, 1}, &plan);
    Written written;
    const auto writer = NewClassifyWriter(std::move(planned), plan, top_k, kClips, &written.reply);
    const ReplySize size = writer->size();
    const bool scene = loaded->head.kind == Head::Kind::kScene;
    written.reserved = size.fixed + kClips * size.per_clip + kClips * (scene ? 1 : kRows) * size.per_row.at(0);
    written.held_per_byte = size.held_per_byte;
    const std::vector<float> rows(static_cast<size_t>((scene ? 1 : kRows) * plan.row_size(0)), 0.25f);
    for (int clip = 0; clip < kClips; ++clip) {
      EXPECT_FALSE(writer->WriteRows({.lane = 0, .clip = clip, .first_window = 0, .rows = rows, .last = true}));
    }
    writer->WriteEnd(absl::Seconds(100), {absl::Seconds(1), absl::Seconds(1), absl::Seconds(1)});
    return written;
  }

  const std::shared_ptr<const LoadedNetwork> network_ = std::make_shared<const LoadedNetwork>(
      LoadedNetwork{.info = FindNetwork(kEmbeddedNetworkName), .shape = MakeNetworkShape(0.1)});
};

TEST_F(ClassifyWriterTest, ReservesAtLeastWhatTheReplyTakes) {
  for (const Head::Kind kind : {Head::Kind::kScene, Head::Kind::kTimestamps}) {
    for (const size_t label_length : {1, 12, 300}) {
      for (const uint32_t top_k : {0u, 1u, 5u}) {
        const auto loaded = MakeLoaded("a-head-of-some-name", kind, label_length);
        const Written written = Write(loaded, top_k);
        const auto bytes = static_cast<int64_t>(written.reply.ByteSizeLong());
        EXPECT_LE(bytes, written.reserved) << label_length << " " << top_k;
        EXPECT_GT(5 * bytes, written.reserved) << "it is bounded closely";
        // An allocation takes 16 bytes beside what was asked for, at most; a label has two: itself and its name.
        const auto labels = (kind == Head::Kind::kScene ? kClips : kClips * kRows) * (top_k == 0 ? kLabels : top_k);
        const int64_t memory = static_cast<int64_t>(written.reply.SpaceUsedLong()) + 32 * labels + bytes;
        EXPECT_LE(memory, written.held_per_byte * written.reserved) << label_length << " " << top_k;
      }
    }
  }
}

TEST_F(ClassifyWriterTest, GivesEachHeadItsPartOfTheRow) {
  const auto network = std::make_shared<const LoadedNetwork>(
      LoadedNetwork{.info = FindNetwork("mn10_as"), .shape = MakeNetworkShape(1.0)});
  std::vector<std::shared_ptr<const LoadedHead>> loaded;
  for (const char* name : {"mn10_logits", "mn10_clf1", "mn10_all_b_mel_avgs"}) {
    const Config* config = FindConfig(name);
    loaded.push_back(std::make_shared<const LoadedHead>(
        LoadedHead{.head = ParseHead(MakeHeadFile(name, {config->embedding_size(), 5}).Bytes(), name).value(),
                   .config = Unowned(config),
                   .network = network,
                   .source = ""}));
  }
  LanePlan plan;
  std::vector<PlannedHead> planned = PlanHeads(loaded, &plan);
  ASSERT_EQ(plan.lanes().size(), 1u);
  std::vector<float> row(static_cast<size_t>(plan.row_size(0)));
  for (size_t i = 0; i < row.size(); ++i) row[i] = std::sin(static_cast<float>(i));
  v1::ClassifyResponse reply;
  const auto writer = NewClassifyWriter(std::move(planned), plan, 0, 1, &reply);
  EXPECT_FALSE(writer->WriteRows({.lane = 0, .clip = 0, .first_window = 0, .rows = row, .last = true}));
  size_t offset = 0;
  for (int i = 0; i < 3; ++i) {
    const Head& head = loaded[static_cast<size_t>(i)]->head;
    std::vector<float> scores(head.labels.size());
    HeadWorkspace workspace;
    const auto size = static_cast<size_t>(head.embedding_size());
    ComputeHeadScores(head, {row.data() + offset, 1, size}, &workspace, absl::MakeSpan(scores));
    offset += size;
    for (const v1::Label& label : reply.clips(0).heads(i).labels()) {
      EXPECT_EQ(label.score(), scores[label.index()]) << head.config;
    }
  }
}

TEST_F(ClassifyWriterTest, CountsRowsFromTheNumberOfTheirWindow) {
  const auto loaded = MakeLoaded("rows", Head::Kind::kTimestamps, 5);
  LanePlan plan;
  std::vector<PlannedHead> planned = PlanHeads({&loaded, 1}, &plan);
  v1::ClassifyResponse reply;
  const auto writer = NewClassifyWriter(std::move(planned), plan, 1, 1, &reply);
  const std::vector<float> rows(static_cast<size_t>(2 * plan.row_size(0)));
  EXPECT_FALSE(writer->WriteRows({.lane = 0, .clip = 0, .first_window = 0, .rows = rows, .last = false}));
  EXPECT_FALSE(writer->WriteRows({.lane = 0, .clip = 0, .first_window = 2, .rows = rows, .last = false}));
  EXPECT_FALSE(writer->WriteRows({.lane = 0, .clip = 0, .first_window = 4, .rows = {}, .last = true}));
  std::vector<double> times;
  for (const v1::LabelRow& row : reply.clips(0).heads(0).rows()) times.push_back(row.timestamp_ms());
  EXPECT_THAT(times, ::testing::ElementsAre(0, 50, 100, 150));
}

}  // namespace
}  // namespace hearwire
