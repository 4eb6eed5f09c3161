// The bounds of what the messages of a stream hold. What its messages hold is tested over a real server.

#include "server/rpc/stream_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/configs/network_shape.h"
#include "tests/fixtures/head_file.h"

namespace hearwire {
namespace {

constexpr int kRows = 3072 / 17;                // That may come at once: windows of 17 frames.
constexpr int64_t kMostMessageBytes = 4 << 20;  // What gRPC's clients take unless they are told otherwise.

class StreamWriterTest : public ::testing::Test {
 protected:
  StreamWriterTest() {
    plan_.served = {Unowned(config_), network_};
    std::vector<std::shared_ptr<const LoadedHead>> heads;
    for (int i = 0; i < 19; ++i) {
      LoadedHead loaded;
      loaded.head =
          ParseHead(MakeHeadFile(config_->name, {config_->embedding_size(), 200}).Bytes(), "head-" + std::to_string(i))
              .value();
      loaded.head.kind = Head::Kind::kTimestamps;
      loaded.config = Unowned(config_);
      loaded.network = network_;
      heads.push_back(std::make_shared<const LoadedHead>(std::move(loaded)));
    }
    plan_.heads = PlanHeads(heads, &plan_.lanes);
  }

  StreamWriter::Messages Write(StreamWriter* writer, int rows) {
    const std::vector<float> values(static_cast<size_t>(rows * plan_.lanes.row_size(0)), 0.5f);
    StreamWriter::Messages messages;
    EXPECT_FALSE(writer->WriteRows({.lane = 0, .first_window = 7, .rows = values, .last = false}, &messages));
    return messages;
  }

  const Config* const config_ = FindConfig(kEmbeddedConfigName);
  const std::shared_ptr<const LoadedNetwork> network_ = std::make_shared<const LoadedNetwork>(
      LoadedNetwork{.info = FindNetwork(kEmbeddedNetworkName), .shape = MakeNetworkShape(0.1)});
  StreamPlan plan_;
};

TEST_F(StreamWriterTest, KeepsAnswersOfManyHeadsInMessagesThatClientsTake) {
  StreamWriter writer(plan_, "float32");
  double expected_ms = 350;
  for (const auto& message : Write(&writer, kRows)) {
    EXPECT_LT(message->ByteSizeLong(), static_cast<size_t>(kMostMessageBytes));
    ASSERT_EQ(message->head_rows().heads_size(), 19);
    for (const v1::LabelRow& row : message->head_rows().heads(18).rows()) {
      EXPECT_EQ(row.timestamp_ms(), expected_ms);
      EXPECT_EQ(row.labels_size(), 200);
      expected_ms += 50;
    }
  }
  EXPECT_EQ(expected_ms, 350 + kRows * 50);
}

TEST_F(StreamWriterTest, KnowsWhatTheAnswersMayTakeInMemory) {
  for (const uint32_t top_labels : {0u, 1u, 5u}) {
    plan_.top_labels = top_labels;
    StreamWriter writer(plan_, "float32");
    int64_t memory = 0;
    for (const auto& message : Write(&writer, kRows)) {
      memory += static_cast<int64_t>(message->SpaceUsedLong() + message->ByteSizeLong());
    }
    EXPECT_LE(memory, writer.MostBytesAhead()) << top_labels;
    EXPECT_GT(3 * memory, writer.MostBytesAhead()) << "it is bounded closely";
  }
}

TEST_F(StreamWriterTest, TakesNothingForWhatIsNotAskedFor) {
  plan_.heads.clear();
  EXPECT_EQ(StreamWriter(plan_, "float32").MostBytesAhead(), 0);
}

TEST_F(StreamWriterTest, WritesTheRowsBeforeOneThatFloat16CannotHold) {
  plan_.timestamps = plan_.lanes.Add(LaneKind::kTimestamps, network_, *config_, config_->readout);
  plan_.element_type = v1::ELEMENT_TYPE_FLOAT16;
  for (const int bad : {0, 1, 256, 299}) {
    StreamWriter writer(plan_, "float32");
    const auto size = static_cast<size_t>(plan_.lanes.row_size(0));
    std::vector<float> values(300 * size, 0.5f);
    values[static_cast<size_t>(bad) * size + 3] = 1e6f;
    StreamWriter::Messages messages;
    const auto fault = writer.WriteRows({.lane = 0, .first_window = 2, .rows = values, .last = true}, &messages);
    ASSERT_TRUE(fault);
    EXPECT_EQ(fault->field, "start.element_type");
    int rows = 0;
    int head_rows = 0;
    for (const auto& message : messages) {
      const v1::TimestampEmbeddings& timestamps = message->timestamps();
      rows += timestamps.timestamps_ms_size();
      EXPECT_EQ(timestamps.embeddings().rows(), static_cast<uint32_t>(timestamps.timestamps_ms_size()));
      EXPECT_EQ(timestamps.embeddings().data().size(),
                timestamps.embeddings().rows() * static_cast<size_t>(config_->embedding_size()) * 2);
      if (message->has_head_rows()) head_rows += message->head_rows().heads(0).rows_size();
    }
    EXPECT_EQ(rows, bad);
    EXPECT_EQ(head_rows, bad);
  }
}

TEST_F(StreamWriterTest, KnowsWhatRowsAndTagsMayTakeInMemory) {
  plan_.heads.clear();
  plan_.lanes = {};
  plan_.timestamps = plan_.lanes.Add(LaneKind::kTimestamps, network_, *config_, config_->readout);
  plan_.scenes = plan_.lanes.Add(LaneKind::kScene, network_, *config_, config_->readout);
  plan_.tags = plan_.lanes.Add(LaneKind::kScene, network_, *config_, LogitsReadout());
  plan_.top_tags = kAudioSetClassCount;
  StreamWriter writer(plan_, "float32");
  StreamWriter::Messages messages;
  for (const int lane : {0, 1}) {
    const int rows = lane == 0 ? kRows : 3;
    const std::vector<float> values(static_cast<size_t>(rows * plan_.lanes.row_size(lane)), 0.5f);
    EXPECT_FALSE(writer.WriteRows({.lane = lane, .first_window = 0, .rows = values, .last = false}, &messages));
  }
  int64_t memory = 0;
  for (const auto& message : messages) {
    memory += static_cast<int64_t>(message->SpaceUsedLong() + message->ByteSizeLong());
  }
  EXPECT_LE(memory, writer.MostBytesAhead());
  EXPECT_GT(2 * memory, writer.MostBytesAhead()) << "it is bounded closely";
}

}  // namespace
}  // namespace hearwire
