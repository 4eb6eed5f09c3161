#include "server/rpc/classify_writer.h"

#include <optional>
#include <utility>

#include "server/pipeline/scene_mean.h"
#include "server/rpc/write_labels.h"
#include "server/rpc/write_reply.h"

namespace hearwire {
namespace {

constexpr int64_t kFixedBytes = 256;
constexpr int64_t kBytesPerAnswer = 16;  // A clip's of one head, beside the head's name and the labels.

class ClassifyWriter final : public ReplyWriter {
 public:
  ClassifyWriter(std::vector<PlannedHead> heads, const LanePlan& plan, uint32_t top_k, int clips,
                 v1::ClassifyResponse* reply)
      : heads_(std::move(heads)), clips_(clips), reply_(reply), labels_(top_k) {
    for (size_t i = 0; i < plan.lanes().size(); ++i) {
      Lane& lane = lanes_.emplace_back();
      lane.row_size = plan.row_size(static_cast<int>(i));
      if (plan.lanes()[i].kind == LaneKind::kScene) lane.means.emplace(clips, lane.row_size);
    }
    for (size_t i = 0; i < heads_.size(); ++i) {
      lanes_[static_cast<size_t>(heads_[i].slice.lane)].heads.push_back(static_cast<int>(i));
    }
  }

  ReplySize size() const override {
    ReplySize size{.fixed = kFixedBytes, .held_per_byte = kLabelsHeldPerByte};
    size.per_row.resize(lanes_.size());
    for (const PlannedHead& head : heads_) {
      size.per_clip += kBytesPerAnswer + static_cast<int64_t>(head.loaded->head.name.size());
      const bool scene = head.loaded->head.kind == Head::Kind::kScene;
      size.per_row[static_cast<size_t>(head.slice.lane)] +=
          labels_.MostBytes(head.loaded->head, scene ? LabelNames::kWritten : LabelNames::kLeftOut) +
          (scene ? 0 : kBytesPerLabelRow);
    }
    return size;
  }

  std::optional<RequestFault> WriteRows(const WindowRows& rows) override {
    Lane& lane = lanes_[static_cast<size_t>(rows.lane)];
    if (!lane.means) {
      WriteTimestamps(lane, rows);
    } else if (const absl::Span<const float> scene = lane.means->Add(rows); !scene.empty()) {
      WriteScene(lane, rows.clip, scene);
    }
    return std::nullopt;
  }

  void WriteEnd(absl::Duration total, const CallTimes& times) override {
    WriteTimings(total, times, reply_->mutable_timings());
  }

 private:
  struct Lane {
    int row_size = 0;
    std::optional<SceneMeans> means;  // Where the lane is one of scenes.
    std::vector<int> heads;           // That read it, by their place in heads_.
  };

  // Made with the first rows, when the call has been let in.
  v1::HeadAnswers* AnswersOf(int clip) {
    while (reply_->clips_size() < clips_) {
      v1::HeadAnswers* answers = reply_->add_clips();
      for (const PlannedHead& head : heads_) answers->add_heads()->set_head(head.loaded->head.name);
    }
    return reply_->mutable_clips(clip);
  }

  void WriteScene(const Lane& lane, int clip, absl::Span<const float> row) {
    v1::HeadAnswers* answers = AnswersOf(clip);
    for (const int i : lane.heads) {
      const PlannedHead& head = heads_[static_cast<size_t>(i)];
      labels_.WriteScene(head.loaded->head, head.slice.Of(row), LabelNames::kWritten,
                         answers->mutable_heads(i)->mutable_labels());
    }
  }

  void WriteTimestamps(const Lane& lane, const WindowRows& rows) {
    v1::HeadAnswers* answers = AnswersOf(rows.clip);
    for (const int i : lane.heads) {
      const PlannedHead& head = heads_[static_cast<size_t>(i)];
      labels_.WriteTimestamps(head.loaded->head, EmbeddingsOf(head.slice, rows.rows, lane.row_size), rows.first_window,
                              answers->mutable_heads(i)->mutable_rows());
    }
  }

  const std::vector<PlannedHead> heads_;
  const int clips_;
  v1::ClassifyResponse* const reply_;
  LabelWriter labels_;
  std::vector<Lane> lanes_;
};

}  // namespace

std::unique_ptr<ReplyWriter> NewClassifyWriter(std::vector<PlannedHead> heads, const LanePlan& plan, uint32_t top_k,
                                               int clips, v1::ClassifyResponse* reply) {
  return std::make_unique<ClassifyWriter>(std::move(heads), plan, top_k, clips, reply);
}

}  // namespace hearwire
