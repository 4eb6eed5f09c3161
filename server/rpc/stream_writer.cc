#include "server/rpc/stream_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/configs/config.h"
#include "server/rpc/write_matrix.h"
#include "server/rpc/write_reply.h"
#include "server/rpc/write_tags.h"

namespace hearwire {
namespace {

constexpr size_t kMostRowsOfMessage = 256;
constexpr double kSceneHopMs = kSceneHopSamples * 1000.0 / kSampleRateHz;

RequestFault Beyond(float value, std::string_view whose) { return BeyondFloat16(value, whose, "start.element_type"); }

}  // namespace

StreamWriter::StreamWriter(const StreamPlan& plan, std::string_view precision)
    : plan_(plan),
      precision_(precision),
      embedding_size_(plan.served.config->embedding_size()),
      scene_row_size_((plan.scenes ? embedding_size_ : 0) + (plan.tags > 0 ? kClassCount : 0)) {}

void StreamWriter::WriteStarted(v1::StreamEmbeddingsResponse* message) const {
  v1::StreamStarted& started = *message->mutable_started();
  WriteSpace(plan_.served.config->name, *plan_.served.network, precision_, started.mutable_space());
  started.set_scene_embedding_size(static_cast<uint32_t>(embedding_size_));
  started.set_timestamp_embedding_size(static_cast<uint32_t>(embedding_size_));
}

std::optional<RequestFault> StreamWriter::WriteRows(const WindowRows& rows, Messages* messages) {
  const LaneKind kind = plan_.lanes[static_cast<size_t>(rows.lane)].kind;
  return kind == LaneKind::kTimestamps ? WriteTimestamps(rows, messages) : WriteScenes(rows, messages);
}

std::optional<RequestFault> StreamWriter::WriteTimestamps(const WindowRows& rows, Messages* messages) {
  const auto size = static_cast<size_t>(embedding_size_);
  int64_t window = rows.first_window;
  for (absl::Span<const float> left = rows.rows; !left.empty();) {
    const size_t count = std::min(left.size() / size, kMostRowsOfMessage);
    auto message = std::make_unique<v1::StreamEmbeddingsResponse>();
    v1::TimestampEmbeddings& timestamps = *message->mutable_timestamps();
    v1::Matrix& matrix = *timestamps.mutable_embeddings();
    StartMatrix(static_cast<int>(count), embedding_size_, plan_.element_type, &matrix);
    if (const auto beyond = AppendElements(left.first(count * size), plan_.element_type, matrix.mutable_data())) {
      const auto ms = static_cast<double>(window) * kTimestampHopMs;
      return Beyond(*beyond, absl::StrCat("a window from ", ms, " ms on"));
    }
    left.remove_prefix(count * size);
    for (size_t i = 0; i < count; ++i) timestamps.add_timestamps_ms(static_cast<double>(window++) * kTimestampHopMs);
    timestamp_rows_ += static_cast<int64_t>(count);
    messages->push_back(std::move(message));
  }
  return std::nullopt;
}

std::optional<RequestFault> StreamWriter::WriteScenes(const WindowRows& rows, Messages* messages) {
  const auto size = static_cast<size_t>(scene_row_size_);
  scene_.Add(rows.rows, scene_row_size_);
  has_scene_ |= !rows.rows.empty();
  // A longer clip has five windows at least, and its last piece begins behind the first of them.
  is_one_window_ = rows.last && rows.first_window == 0 && rows.rows.size() == size;
  if (is_one_window_) return std::nullopt;
  int64_t window = rows.first_window;
  for (absl::Span<const float> left = rows.rows; !left.empty(); left.remove_prefix(size)) {
    auto message = std::make_unique<v1::StreamEmbeddingsResponse>();
    v1::SceneWindow& scene = *message->mutable_scene();
    scene.set_centre_ms(static_cast<double>(window++) * kSceneHopMs);
    if (auto fault = WriteScene(left.first(size), &v1::SceneWindow::mutable_embedding, &scene)) return fault;
    ++scene_windows_;
    messages->push_back(std::move(message));
  }
  return std::nullopt;
}

template <typename Message>
std::optional<RequestFault> StreamWriter::WriteScene(absl::Span<const float> row, v1::Matrix* (Message::*embedding)(),
                                                     Message* message) const {
  if (plan_.scenes) {
    v1::Matrix& matrix = *(message->*embedding)();
    StartMatrix(1, embedding_size_, plan_.element_type, &matrix);
    const absl::Span<const float> values = row.first(static_cast<size_t>(embedding_size_));
    if (const auto beyond = AppendElements(values, plan_.element_type, matrix.mutable_data())) {
      return Beyond(*beyond, "a scene");
    }
    row.remove_prefix(values.size());
  }
  if (plan_.tags > 0) WriteTags(row.first(kClassCount), plan_.tags, message->mutable_tags());
  return std::nullopt;
}

std::optional<RequestFault> StreamWriter::WriteSummary(double audio_ms, v1::StreamEmbeddingsResponse* message) {
  v1::StreamSummary& summary = *message->mutable_summary();
  summary.set_audio_ms(audio_ms);
  summary.set_timestamp_rows(static_cast<uint64_t>(timestamp_rows_));
  summary.set_scene_windows(static_cast<uint64_t>(scene_windows_));
  // Of a stream that began later than the recording, the windows do not make its scene.
  if (!has_scene_ || plan_.first_sample > 0) return std::nullopt;
  return WriteScene(scene_.Mean(), &v1::StreamSummary::mutable_scene, &summary);
}

}  // namespace hearwire
