#include "server/rpc/reply_writer.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/log_mel/clip_windows.h"
#include "server/pipeline/scene_mean.h"
#include "server/rpc/write_matrix.h"
#include "server/rpc/write_reply.h"
#include "server/rpc/write_tags.h"

namespace hearwire {
namespace {

// Space, timings, and the fields around the data.
constexpr int64_t kFixedBytes = 512;
constexpr int64_t kBytesPerTimestampClip = 64;

RequestFault ClipBeyondFloat16(float value, int clip) {
  return BeyondFloat16(value, absl::StrCat("clips[", clip, "]"), "element_type");
}

// What every reply ends with.
template <typename Reply>
class EndedReplyWriter : public ReplyWriter {
 public:
  EndedReplyWriter(const ReplySpace& space, Reply* reply) : reply_(reply), space_(space) {}

  void WriteEnd(absl::Duration total, const CallTimes& times) final {
    WriteSpace(space_.config, *space_.network, space_.precision, reply_->mutable_space());
    WriteTimings(total, times, reply_->mutable_timings());
  }

 protected:
  Reply* const reply_;

 private:
  const ReplySpace space_;
};

class SceneWriter final : public EndedReplyWriter<v1::GetSceneEmbeddingsResponse> {
 public:
  SceneWriter(const ReplySpace& space, int row_size, int clips, v1::ElementType type,
              v1::GetSceneEmbeddingsResponse* reply)
      : EndedReplyWriter(space, reply),
        type_(type),
        row_bytes_(row_size * ElementBytes(type)),
        means_(clips, row_size) {
    StartMatrix(clips, row_size, type, reply->mutable_embeddings());
  }

  ReplySize size() const override { return {.fixed = kFixedBytes, .per_row = {row_bytes_}}; }

  std::optional<RequestFault> WriteRows(const WindowRows& rows) override {
    const absl::Span<const float> row = means_.Add(rows);
    if (row.empty()) return std::nullopt;
    v1::Matrix& matrix = *reply_->mutable_embeddings();
    std::string& data = *matrix.mutable_data();
    if (data.empty()) data.resize(static_cast<size_t>(matrix.rows() * row_bytes_));
    const std::optional<float> beyond = WriteElements(row, type_, &data[static_cast<size_t>(rows.clip * row_bytes_)]);
    return beyond ? std::optional(ClipBeyondFloat16(*beyond, rows.clip)) : std::nullopt;
  }

 private:
  const v1::ElementType type_;
  const int64_t row_bytes_;
  SceneMeans means_;
};

class TimestampWriter final : public EndedReplyWriter<v1::GetTimestampEmbeddingsResponse> {
 public:
  TimestampWriter(const ReplySpace& space, int row_size, int clips, v1::ElementType type,
                  v1::GetTimestampEmbeddingsResponse* reply)
      : EndedReplyWriter(space, reply), type_(type), row_size_(row_size) {
    for (int i = 0; i < clips; ++i) StartMatrix(0, row_size, type, reply->add_clips()->mutable_embeddings());
  }

  ReplySize size() const override {
    return {.fixed = kFixedBytes,
            .per_clip = kBytesPerTimestampClip,
            .per_row = {row_size_ * ElementBytes(type_) + static_cast<int64_t>(sizeof(double))}};
  }

  std::optional<RequestFault> WriteRows(const WindowRows& rows) override {
    v1::TimestampEmbeddings& embeddings = *reply_->mutable_clips(rows.clip);
    v1::Matrix& matrix = *embeddings.mutable_embeddings();
    if (const std::optional<float> beyond = AppendElements(rows.rows, type_, matrix.mutable_data())) {
      return ClipBeyondFloat16(*beyond, rows.clip);
    }
    const uint32_t first = matrix.rows();
    const uint32_t end = first + static_cast<uint32_t>(rows.rows.size() / static_cast<size_t>(row_size_));
    matrix.set_rows(end);
    embeddings.mutable_timestamps_ms()->Reserve(static_cast<int>(end));
    for (uint32_t row = first; row < end; ++row) {
      embeddings.add_timestamps_ms(static_cast<double>(row) * kTimestampHopMs);
    }
    return std::nullopt;
  }

 private:
  const v1::ElementType type_;
  const int row_size_;
};

class TagsWriter final : public EndedReplyWriter<v1::GetTagsResponse> {
 public:
  TagsWriter(const ReplySpace& space, int clips, int top_k, v1::GetTagsResponse* reply)
      : EndedReplyWriter(space, reply),
        network_(space.network),
        top_k_(top_k),
        means_(clips, network_->info->class_count()) {
    for (int i = 0; i < clips; ++i) reply->add_clips();
  }

  ReplySize size() const override {
    return {.fixed = kFixedBytes, .per_row = {top_k_ * MostTagBytes(*network_->info)}};
  }

  std::optional<RequestFault> WriteRows(const WindowRows& rows) override {
    const absl::Span<const float> logits = means_.Add(rows);
    if (!logits.empty()) {
      WriteTags(logits, top_k_, *network_->info, reply_->mutable_clips(rows.clip)->mutable_tags());
    }
    return std::nullopt;
  }

 private:
  const std::shared_ptr<const LoadedNetwork> network_;
  const int top_k_;
  SceneMeans means_;
};

}  // namespace

std::unique_ptr<ReplyWriter> NewReplyWriter(const ReplySpace& space, int row_size, int clips, v1::ElementType type,
                                            v1::GetSceneEmbeddingsResponse* reply) {
  return std::make_unique<SceneWriter>(space, row_size, clips, type, reply);
}

std::unique_ptr<ReplyWriter> NewReplyWriter(const ReplySpace& space, int row_size, int clips, v1::ElementType type,
                                            v1::GetTimestampEmbeddingsResponse* reply) {
  return std::make_unique<TimestampWriter>(space, row_size, clips, type, reply);
}

std::unique_ptr<ReplyWriter> NewTagsWriter(const ReplySpace& space, int clips, int top_k, v1::GetTagsResponse* reply) {
  return std::make_unique<TagsWriter>(space, clips, top_k, reply);
}

}  // namespace hearwire
