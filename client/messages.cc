#include "client/messages.h"

#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hearwire::client {
namespace {

static_assert(std::endian::native == std::endian::little, "matrices are copied as the wire holds them");

void EncodeClips(std::vector<Audio> clips, google::protobuf::RepeatedPtrField<v1::Audio>& messages) {
  messages.Reserve(static_cast<int>(clips.size()));
  for (Audio& clip : clips) {
    v1::Audio& message = *messages.Add();
    if (clip.encoding == Audio::Encoding::kFile) {
      message.set_encoded(std::move(clip.bytes));
      continue;
    }
    v1::Pcm& pcm = *message.mutable_pcm();
    pcm.set_encoding(clip.encoding == Audio::Encoding::kLinear16 ? v1::Pcm::ENCODING_LINEAR16
                                                                 : v1::Pcm::ENCODING_FLOAT32);
    pcm.set_sample_rate_hertz(static_cast<uint32_t>(clip.sample_rate_hz));
    pcm.set_channel_count(static_cast<uint32_t>(clip.channels));
    pcm.set_samples(std::move(clip.bytes));
  }
}

v1::ElementType EncodeElementType(ElementType type) {
  return type == ElementType::kFloat16 ? v1::ELEMENT_TYPE_FLOAT16 : v1::ELEMENT_TYPE_FLOAT32;
}

// IEEE 754 binary16.
float FromHalf(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t magnitude = half & 0x7fff;
  if (magnitude >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  // The bits stand for a float with 112 more in the exponent, subnormal numbers included.
  const float value = std::bit_cast<float>(magnitude << 13) * std::bit_cast<float>(uint32_t{(127 + 112) << 23});
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
}

absl::StatusOr<Matrix> DecodeMatrix(const v1::Matrix& message) {
  const bool half = message.element_type() == v1::ELEMENT_TYPE_FLOAT16;
  if (!half && message.element_type() != v1::ELEMENT_TYPE_FLOAT32) {
    return absl::InternalError(absl::StrCat("the reply's element type ", static_cast<int>(message.element_type()),
                                            " is not known to this client"));
  }
  const uint64_t count = uint64_t{message.rows()} * message.columns();
  const uint64_t element_bytes = half ? sizeof(uint16_t) : sizeof(float);
  const std::string& data = message.data();
  if (data.size() / element_bytes != count || data.size() % element_bytes != 0) {
    return absl::InternalError(absl::StrCat("the reply's matrix of ", message.rows(), " x ", message.columns(),
                                            " values has ", data.size(), " bytes; ", element_bytes,
                                            " a value would be right"));
  }
  Matrix matrix{message.rows(), message.columns(), std::vector<float>(count)};
  if (half) {
    for (size_t i = 0; i < count; ++i) {
      uint16_t bits = 0;
      std::memcpy(&bits, data.data() + i * sizeof(bits), sizeof(bits));
      matrix.values[i] = FromHalf(bits);
    }
  } else if (count > 0) {
    std::memcpy(matrix.values.data(), data.data(), data.size());
  }
  return matrix;
}

absl::StatusOr<ClipTimestampEmbeddings> DecodeTimestamps(const v1::TimestampEmbeddings& clip) {
  absl::StatusOr<Matrix> matrix = DecodeMatrix(clip.embeddings());
  if (!matrix.ok()) return matrix.status();
  if (clip.timestamps_ms_size() != matrix->rows) {
    return absl::InternalError(absl::StrCat("the reply has ", clip.timestamps_ms_size(), " timestamps for ",
                                            matrix->rows, " embeddings of a clip"));
  }
  return ClipTimestampEmbeddings{*std::move(matrix), {clip.timestamps_ms().begin(), clip.timestamps_ms().end()}};
}

// Of a scene, which may be absent.
absl::StatusOr<Matrix> DecodeScene(bool present, const v1::Matrix& message) {
  if (!present) return Matrix();
  absl::StatusOr<Matrix> matrix = DecodeMatrix(message);
  if (matrix.ok() && matrix->rows != 1) {
    return absl::InternalError(absl::StrCat("the reply has ", matrix->rows, " rows for one scene"));
  }
  return matrix;
}

std::vector<Tag> DecodeTagList(const google::protobuf::RepeatedPtrField<v1::Tag>& messages) {
  std::vector<Tag> tags;
  for (const v1::Tag& tag : messages) tags.push_back({static_cast<int>(tag.index()), tag.name(), tag.probability()});
  return tags;
}

std::vector<Label> DecodeLabels(const google::protobuf::RepeatedPtrField<v1::Label>& messages) {
  std::vector<Label> labels;
  for (const v1::Label& label : messages) {
    labels.push_back({static_cast<int>(label.index()), label.name(), label.score()});
  }
  return labels;
}

std::vector<HeadAnswer> DecodeHeads(const google::protobuf::RepeatedPtrField<v1::HeadAnswer>& messages) {
  std::vector<HeadAnswer> heads;
  for (const v1::HeadAnswer& message : messages) {
    HeadAnswer& head = heads.emplace_back(HeadAnswer{message.head(), DecodeLabels(message.labels()), {}});
    for (const v1::LabelRow& row : message.rows()) {
      head.rows.push_back({row.timestamp_ms(), DecodeLabels(row.labels())});
    }
  }
  return heads;
}

absl::Status WrongClipCount(int64_t answered, int asked) {
  return absl::InternalError(absl::StrCat("the reply answers ", answered, " clips of a request with ", asked));
}

EmbeddingSpace DecodeSpace(const v1::EmbeddingSpace& space) {
  return {space.config(), space.weights_sha256(), space.frontend(), space.precision()};
}

Timings DecodeTimings(const v1::Timings& timings) {
  return {absl::Nanoseconds(timings.total_ns()), absl::Nanoseconds(timings.decode_ns()),
          absl::Nanoseconds(timings.queue_ns()), absl::Nanoseconds(timings.inference_ns())};
}

}  // namespace

template <typename Request>
Request EncodeEmbedRequest(EmbedRequest request) {
  Request message;
  message.set_config(std::move(request.config));
  message.set_element_type(EncodeElementType(request.element_type));
  EncodeClips(std::move(request.clips), *message.mutable_clips());
  return message;
}
template v1::GetSceneEmbeddingsRequest EncodeEmbedRequest(EmbedRequest request);
template v1::GetTimestampEmbeddingsRequest EncodeEmbedRequest(EmbedRequest request);

v1::GetTagsRequest EncodeTagRequest(TagRequest request) {
  v1::GetTagsRequest message;
  message.set_network(std::move(request.network));
  message.set_top_k(static_cast<uint32_t>(request.top_k));
  EncodeClips(std::move(request.clips), *message.mutable_clips());
  return message;
}

absl::StatusOr<SceneEmbeddings> DecodeSceneEmbeddings(const v1::GetSceneEmbeddingsResponse& reply, int clips) {
  absl::StatusOr<Matrix> matrix = DecodeMatrix(reply.embeddings());
  if (!matrix.ok()) return matrix.status();
  if (matrix->rows != clips) return WrongClipCount(matrix->rows, clips);
  return SceneEmbeddings{*std::move(matrix), DecodeSpace(reply.space()), DecodeTimings(reply.timings()), ""};
}

absl::StatusOr<TimestampEmbeddings> DecodeTimestampEmbeddings(const v1::GetTimestampEmbeddingsResponse& reply,
                                                              int clips) {
  if (reply.clips_size() != clips) return WrongClipCount(reply.clips_size(), clips);
  TimestampEmbeddings result{{}, DecodeSpace(reply.space()), DecodeTimings(reply.timings()), ""};
  for (const v1::TimestampEmbeddings& clip : reply.clips()) {
    absl::StatusOr<ClipTimestampEmbeddings> timestamps = DecodeTimestamps(clip);
    if (!timestamps.ok()) return timestamps.status();
    result.clips.push_back(*std::move(timestamps));
  }
  return result;
}

absl::StatusOr<Tags> DecodeTags(const v1::GetTagsResponse& reply, int clips) {
  if (reply.clips_size() != clips) return WrongClipCount(reply.clips_size(), clips);
  Tags result{{}, DecodeSpace(reply.space()), DecodeTimings(reply.timings()), ""};
  for (const v1::Tags& clip : reply.clips()) result.clips.push_back(DecodeTagList(clip.tags()));
  return result;
}

std::vector<ConfigInfo> DecodeConfigs(const v1::ListConfigsResponse& reply) {
  std::vector<ConfigInfo> configs;
  for (const v1::Config& config : reply.configs()) {
    configs.push_back({
        .name = config.name(),
        .network = config.network(),
        .loaded = config.loaded(),
        .is_default = config.is_default(),
        .sample_rate_hz = static_cast<int>(config.sample_rate()),
        .scene_embedding_size = config.scene_embedding_size(),
        .timestamp_embedding_size = config.timestamp_embedding_size(),
        .timestamp_window_ms = config.timestamp_window_ms(),
        .timestamp_hop_ms = config.timestamp_hop_ms(),
        .min_scene_samples = static_cast<int64_t>(config.min_scene_samples()),
        .min_timestamp_samples = static_cast<int64_t>(config.min_timestamp_samples()),
        .space = DecodeSpace(config.space()),
    });
  }
  return configs;
}

ServerLimits DecodeLimits(const v1::ListConfigsResponse& reply) {
  const v1::Limits& limits = reply.limits();
  return {.max_message_bytes = static_cast<int64_t>(limits.max_message_bytes()),
          .max_reply_bytes = static_cast<int64_t>(limits.max_reply_bytes()),
          .max_clips = static_cast<int>(limits.max_clips()),
          .max_decoded_seconds = limits.max_decoded_seconds(),
          .max_deadline_seconds = limits.max_deadline_seconds(),
          .max_piece_bytes = static_cast<int64_t>(limits.max_piece_bytes())};
}

ReloadChanges DecodeReload(const admin::v1::ReloadResponse& reply) {
  const auto decode = [](const admin::v1::NameChanges& changes) -> NameChanges {
    return {.added = {changes.added().begin(), changes.added().end()},
            .replaced = {changes.replaced().begin(), changes.replaced().end()},
            .removed = {changes.removed().begin(), changes.removed().end()}};
  };
  return {.networks = decode(reply.networks()),
          .heads = decode(reply.heads()),
          .certificate_replaced = reply.certificate_replaced(),
          .tokens_replaced = reply.tokens_replaced()};
}

v1::StreamStart EncodeStreamStart(const StreamOptions& options) {
  v1::StreamStart start;
  start.set_config(options.config);
  start.set_encoding(options.encoding == Audio::Encoding::kLinear16 ? v1::Pcm::ENCODING_LINEAR16
                                                                    : v1::Pcm::ENCODING_FLOAT32);
  start.set_sample_rate_hertz(static_cast<uint32_t>(options.sample_rate_hz));
  start.set_channel_count(static_cast<uint32_t>(options.channels));
  start.set_element_type(EncodeElementType(options.element_type));
  start.set_timestamps(options.timestamps);
  start.set_scenes(options.scenes);
  start.set_tags_top_k(static_cast<uint32_t>(options.tags_top_k));
  *start.mutable_heads() = {options.heads.begin(), options.heads.end()};
  start.set_heads_top_k(static_cast<uint32_t>(options.heads_top_k));
  start.set_acknowledge(true);
  return start;
}

absl::StatusOr<StreamEvent> DecodeStreamEvent(const v1::StreamEmbeddingsResponse& message) {
  switch (message.response_case()) {
    case v1::StreamEmbeddingsResponse::kStarted:
      return StreamStarted{DecodeSpace(message.started().space()), message.started().scene_embedding_size(),
                           message.started().timestamp_embedding_size()};
    case v1::StreamEmbeddingsResponse::kTimestamps:
      return DecodeTimestamps(message.timestamps());
    case v1::StreamEmbeddingsResponse::kScene: {
      const v1::SceneWindow& scene = message.scene();
      absl::StatusOr<Matrix> matrix = DecodeScene(scene.has_embedding(), scene.embedding());
      if (!matrix.ok()) return matrix.status();
      return SceneWindow{scene.centre_ms(), *std::move(matrix), DecodeTagList(scene.tags()),
                         DecodeHeads(scene.heads())};
    }
    case v1::StreamEmbeddingsResponse::kHeadRows:
      return HeadRows{DecodeHeads(message.head_rows().heads())};
    case v1::StreamEmbeddingsResponse::kSummary: {
      const v1::StreamSummary& summary = message.summary();
      absl::StatusOr<Matrix> matrix = DecodeScene(summary.has_scene(), summary.scene());
      if (!matrix.ok()) return matrix.status();
      return StreamSummary{.audio_ms = summary.audio_ms(),
                           .timestamp_rows = static_cast<int64_t>(summary.timestamp_rows()),
                           .scene_windows = static_cast<int64_t>(summary.scene_windows()),
                           .scene = *std::move(matrix),
                           .tags = DecodeTagList(summary.tags()),
                           .heads = DecodeHeads(summary.heads())};
    }
    case v1::StreamEmbeddingsResponse::kTaken:  // The session's own: it hands on none.
    case v1::StreamEmbeddingsResponse::RESPONSE_NOT_SET:
      break;
  }
  return absl::InternalError("a message of the stream holds nothing that this client knows");
}

}  // namespace hearwire::client
