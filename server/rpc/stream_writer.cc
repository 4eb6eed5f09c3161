#include "server/rpc/stream_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/configs/config.h"
#include "models/log_mel/window_stream.h"
#include "server/pipeline/pipeline.h"
#include "server/rpc/write_matrix.h"
#include "server/rpc/write_reply.h"
#include "server/rpc/write_tags.h"

namespace hearwire {
namespace {

constexpr size_t kMostRowsOfMessage = 256;
constexpr int64_t kMostHeadRowsBytes = 1 << 20;  // Of a message: clients take 4 MiB unless they raise it.
// Bytes in memory for each of a row's in its message: the message, and its bytes on their way out.
constexpr int64_t kRowsHeldPerByte = 2;

// Whose rows may come although the client reads none. The last step of a slice may end more than one window.
int64_t MostWindowsAhead(int window_samples, int hop_samples, const MelSettings& mel) {
  return kMostStreamFrames / (window_samples / mel.hop_samples + 1) +
         WindowStream::kStepFrames * mel.hop_samples / hop_samples + 1;
}
constexpr double kSceneHopMs = kSceneHopSamples * 1000.0 / kSampleRateHz;

RequestFault Beyond(float value, std::string_view whose) { return BeyondFloat16(value, whose, "start.element_type"); }

}  // namespace

StreamWriter::StreamWriter(const StreamPlan& plan, std::string_view precision)
    : plan_(plan),
      precision_(precision),
      embedding_size_(plan.served.config->embedding_size()),
      labels_(plan.top_labels) {}

int64_t StreamWriter::MostAnswerBytes(Head::Kind kind) const {
  int64_t bytes = 0;
  for (const PlannedHead& head : plan_.heads) {
    if (head.loaded->head.kind == kind) {
      bytes += labels_.MostBytes(head.loaded->head, LabelNames::kLeftOut) + kBytesPerLabelRow;
    }
  }
  return bytes;
}

int64_t StreamWriter::MostBytesAhead() const {
  const MelSettings& mel = plan_.served.network->info->mel;
  const int64_t row_bytes = embedding_size_ * ElementBytes(plan_.element_type) + static_cast<int64_t>(sizeof(double));
  const int64_t timestamp_bytes = (plan_.timestamps ? kRowsHeldPerByte * row_bytes : 0) +
                                  kLabelsHeldPerByte * MostAnswerBytes(Head::Kind::kTimestamps);
  const int64_t tag_bytes = plan_.tags ? plan_.top_tags * MostTagBytesHeld(*plan_.served.network->info) : 0;
  const int64_t scene_bytes = (plan_.scenes ? kRowsHeldPerByte * row_bytes : 0) + tag_bytes +
                              kLabelsHeldPerByte * MostAnswerBytes(Head::Kind::kScene);
  return MostWindowsAhead(plan_.served.config->timestamp_window_samples, kTimestampHopSamples, mel) * timestamp_bytes +
         MostWindowsAhead(kSceneWindowSamples, kSceneHopSamples, mel) * scene_bytes;
}

void StreamWriter::WriteStarted(v1::StreamEmbeddingsResponse* message) const {
  v1::StreamStarted& started = *message->mutable_started();
  WriteSpace(plan_.served.config->name, *plan_.served.network, precision_, started.mutable_space());
  started.set_scene_embedding_size(static_cast<uint32_t>(embedding_size_));
  started.set_timestamp_embedding_size(static_cast<uint32_t>(embedding_size_));
}

std::optional<RequestFault> StreamWriter::WriteRows(const WindowRows& rows, Messages* messages) {
  const LaneKind kind = plan_.lanes.lanes()[static_cast<size_t>(rows.lane)].kind;
  if (kind == LaneKind::kScene) return WriteScenes(rows, messages);
  timestamp_rows_ += static_cast<int64_t>(rows.rows.size()) / plan_.lanes.row_size(rows.lane);
  WindowRows good = rows;
  std::optional<RequestFault> fault = WriteTimestamps(&good, messages);
  WriteHeadRows(good, messages);
  return fault;
}

std::optional<RequestFault> StreamWriter::WriteTimestamps(WindowRows* rows, Messages* messages) {
  if (!plan_.timestamps) return std::nullopt;
  const auto size = static_cast<size_t>(plan_.lanes.row_size(rows->lane));
  int64_t window = rows->first_window;
  std::optional<RequestFault> fault;
  for (absl::Span<const float> left = rows->rows; !left.empty() && !fault;) {
    const size_t count = std::min(left.size() / size, kMostRowsOfMessage);
    auto message = std::make_unique<v1::StreamEmbeddingsResponse>();
    v1::TimestampEmbeddings& timestamps = *message->mutable_timestamps();
    v1::Matrix& matrix = *timestamps.mutable_embeddings();
    StartMatrix(static_cast<int>(count), embedding_size_, plan_.element_type, &matrix);
    for (size_t i = 0; i < count; ++i, left.remove_prefix(size)) {
      const double ms = static_cast<double>(window++) * kTimestampHopMs;
      const absl::Span<const float> row = plan_.timestamps->Of(left.first(size));
      const size_t written = matrix.data().size();
      if (const auto beyond = AppendElements(row, plan_.element_type, matrix.mutable_data())) {
        fault = Beyond(*beyond, absl::StrCat("the window at ", ms, " ms"));
        matrix.set_rows(static_cast<uint32_t>(i));
        matrix.mutable_data()->resize(written);
        rows->rows.remove_suffix(left.size());
        break;
      }
      timestamps.add_timestamps_ms(ms);
    }
    if (matrix.rows() > 0) messages->push_back(std::move(message));
  }
  return fault;
}

void StreamWriter::WriteHeadRows(const WindowRows& rows, Messages* messages) {
  const int64_t row_bytes = MostAnswerBytes(Head::Kind::kTimestamps);
  if (row_bytes == 0) return;
  const auto most = static_cast<size_t>(std::clamp<int64_t>(kMostHeadRowsBytes / row_bytes, 1, kMostRowsOfMessage));
  const auto size = static_cast<size_t>(plan_.lanes.row_size(rows.lane));
  int64_t window = rows.first_window;
  for (absl::Span<const float> left = rows.rows; !left.empty();) {
    const size_t count = std::min(left.size() / size, most);
    auto message = std::make_unique<v1::StreamEmbeddingsResponse>();
    for (const PlannedHead& head : plan_.heads) {
      if (head.slice.lane != rows.lane) continue;
      v1::HeadAnswer& answer = *message->mutable_head_rows()->add_heads();
      answer.set_head(head.loaded->head.name);
      labels_.WriteTimestamps(head.loaded->head,
                              EmbeddingsOf(head.slice, left.first(count * size), static_cast<int>(size)), window,
                              answer.mutable_rows());
    }
    left.remove_prefix(count * size);
    window += static_cast<int64_t>(count);
    messages->push_back(std::move(message));
  }
}

std::optional<RequestFault> StreamWriter::WriteScenes(const WindowRows& rows, Messages* messages) {
  const int row_size = plan_.lanes.row_size(rows.lane);
  const auto size = static_cast<size_t>(row_size);
  scene_.Add(rows.rows, row_size);
  // The scene of a clip of at most 10 s: a longer one has five windows at least, and its last piece begins behind the
  // first of them.
  if (rows.last && rows.first_window == 0 && rows.rows.size() == size) return std::nullopt;
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
                                                     Message* message) {
  if (plan_.scenes) {
    v1::Matrix& matrix = *(message->*embedding)();
    StartMatrix(1, embedding_size_, plan_.element_type, &matrix);
    if (const auto beyond = AppendElements(plan_.scenes->Of(row), plan_.element_type, matrix.mutable_data())) {
      return Beyond(*beyond, "a scene");
    }
  }
  if (plan_.tags) {
    WriteTags(plan_.tags->Of(row), plan_.top_tags, *plan_.served.network->info, message->mutable_tags());
  }
  for (const PlannedHead& head : plan_.heads) {
    if (head.loaded->head.kind != Head::Kind::kScene) continue;
    v1::HeadAnswer& answer = *message->add_heads();
    answer.set_head(head.loaded->head.name);
    labels_.WriteScene(head.loaded->head, head.slice.Of(row), LabelNames::kLeftOut, answer.mutable_labels());
  }
  return std::nullopt;
}

std::optional<RequestFault> StreamWriter::WriteSummary(double audio_ms, v1::StreamEmbeddingsResponse* message) {
  v1::StreamSummary& summary = *message->mutable_summary();
  summary.set_audio_ms(audio_ms);
  summary.set_timestamp_rows(static_cast<uint64_t>(timestamp_rows_));
  summary.set_scene_windows(static_cast<uint64_t>(scene_windows_));
  // Of a stream that began later than the recording, the windows do not make its scene.
  const absl::Span<const float> scene = scene_.Mean();
  if (scene.empty() || plan_.first_sample > 0) return std::nullopt;
  return WriteScene(scene, &v1::StreamSummary::mutable_scene, &summary);
}

}  // namespace hearwire
