#include "server/rpc/write_reply.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "models/configs/audioset.h"
#include "models/log_mel/clip_windows.h"
#include "server/rpc/float16.h"

namespace hearwire {
namespace {

// Rows are copied as they lie in memory.
static_assert(std::endian::native == std::endian::little);

constexpr double kTimestampHopMs = kTimestampHopSamples * 1000.0 / kSampleRateHz;

// Space, timings, and the fields around the data.
constexpr int64_t kFixedBytes = 512;
constexpr int64_t kBytesPerTimestampClip = 64;
constexpr int64_t kBytesPerTag = 16;  // Without its name.

int64_t ElementBytes(v1::ElementType type) { return type == v1::ELEMENT_TYPE_FLOAT16 ? 2 : 4; }

CallError BeyondFloat16(float value, int clip) {
  return {.status = absl::InvalidArgumentError(absl::StrCat("the embedding of clips[", clip, "] holds ", value,
                                                            ", and FLOAT16 ends at 65504: ask for FLOAT32")),
          .reason = reason::kInvalidRequest};
}

// rows: [row count, columns]. The value that float16 cannot hold, if there is one.
std::optional<float> WriteMatrix(absl::Span<const float> rows, int columns, v1::ElementType type, v1::Matrix* matrix) {
  matrix->set_rows(static_cast<uint32_t>(rows.size() / static_cast<size_t>(columns)));
  matrix->set_columns(static_cast<uint32_t>(columns));
  matrix->set_element_type(type);
  std::string& data = *matrix->mutable_data();
  if (type == v1::ELEMENT_TYPE_FLOAT32) {
    data.assign(reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(float));
    return std::nullopt;
  }
  data.resize(rows.size() * sizeof(uint16_t));
  for (size_t i = 0; i < rows.size(); ++i) {
    const uint16_t bits = ToFloat16(rows[i]);
    if (!IsFiniteFloat16(bits)) return rows[i];
    std::memcpy(&data[i * sizeof(bits)], &bits, sizeof(bits));
  }
  return std::nullopt;
}

int64_t LongestClassName() {
  size_t longest = 0;
  for (const std::string_view name : AudioSetClassNames()) longest = std::max(longest, name.size());
  return static_cast<int64_t>(longest);
}

}  // namespace

ReplySize SceneReplySize(int row_size, v1::ElementType element_type) {
  return {.fixed = kFixedBytes, .per_row = row_size * ElementBytes(element_type)};
}

ReplySize TimestampReplySize(int row_size, v1::ElementType element_type) {
  return {.fixed = kFixedBytes,
          .per_clip = kBytesPerTimestampClip,
          .per_row = row_size * ElementBytes(element_type) + static_cast<int64_t>(sizeof(double))};
}

ReplySize TagsReplySize(int top_k) {
  static const int64_t longest_name = LongestClassName();
  return {.fixed = kFixedBytes, .per_row = top_k * (kBytesPerTag + longest_name)};
}

std::optional<CallError> WriteSceneEmbeddings(const CallResult& result, v1::ElementType element_type,
                                              v1::GetSceneEmbeddingsResponse* response) {
  const std::optional<float> beyond =
      WriteMatrix(result.rows, result.row_size, element_type, response->mutable_embeddings());
  if (!beyond) return std::nullopt;
  const auto place = std::find(result.rows.begin(), result.rows.end(), *beyond) - result.rows.begin();
  return BeyondFloat16(*beyond, static_cast<int>(place / result.row_size));
}

std::optional<CallError> WriteTimestampEmbeddings(const CallResult& result, v1::ElementType element_type,
                                                  v1::GetTimestampEmbeddingsResponse* response) {
  absl::Span<const float> rest = result.rows;
  for (size_t i = 0; i < result.rows_per_clip.size(); ++i) {
    const int64_t rows = result.rows_per_clip[i];
    const size_t values = static_cast<size_t>(rows) * result.row_size;
    v1::TimestampEmbeddings* clip = response->add_clips();
    const std::optional<float> beyond =
        WriteMatrix(rest.subspan(0, values), result.row_size, element_type, clip->mutable_embeddings());
    if (beyond) return BeyondFloat16(*beyond, static_cast<int>(i));
    rest.remove_prefix(values);
    clip->mutable_timestamps_ms()->Reserve(static_cast<int>(rows));
    for (int64_t row = 0; row < rows; ++row) clip->add_timestamps_ms(static_cast<double>(row) * kTimestampHopMs);
  }
  return std::nullopt;
}

void WriteTags(const CallResult& result, int top_k, v1::GetTagsResponse* response) {
  const auto names = AudioSetClassNames();
  std::vector<int> order(result.row_size);
  for (size_t clip = 0; clip < result.rows_per_clip.size(); ++clip) {
    const float* probabilities = result.rows.data() + clip * result.row_size;
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + top_k, order.end(), [&](int a, int b) {
      return probabilities[a] != probabilities[b] ? probabilities[a] > probabilities[b] : a < b;
    });
    v1::Tags* tags = response->add_clips();
    for (int i = 0; i < top_k; ++i) {
      v1::Tag* tag = tags->add_tags();
      tag->set_index(static_cast<uint32_t>(order[i]));
      tag->set_name(std::string(names[order[i]]));
      tag->set_probability(probabilities[order[i]]);
    }
  }
}

void WriteSpace(std::string_view config, const LoadedNetwork& network, std::string_view precision,
                v1::EmbeddingSpace* space) {
  space->set_config(std::string(config));
  space->set_weights_sha256(network.sha256);
  space->set_frontend(kFrontendVersion);
  space->set_precision(std::string(precision));
}

void WriteTimings(absl::Duration total, const CallTimes& times, v1::Timings* timings) {
  const auto nanoseconds = [](absl::Duration duration) {
    return static_cast<uint64_t>(std::max<int64_t>(absl::ToInt64Nanoseconds(duration), 0));
  };
  timings->set_total_ns(nanoseconds(total));
  timings->set_decode_ns(nanoseconds(times.decode));
  timings->set_queue_ns(nanoseconds(times.queued));
  timings->set_inference_ns(nanoseconds(times.inference));
}

void WriteConfig(const Config& config, const LoadedNetwork* loaded, bool is_default, std::string_view precision,
                 v1::Config* message) {
  message->set_name(std::string(config.name));
  message->set_network(std::string(config.network->name));
  message->set_loaded(loaded != nullptr);
  message->set_is_default(is_default);
  message->set_sample_rate(kSampleRateHz);
  message->set_scene_embedding_size(static_cast<uint32_t>(config.embedding_size()));
  message->set_timestamp_embedding_size(static_cast<uint32_t>(config.embedding_size()));
  message->set_timestamp_window_ms(config.timestamp_window_samples * 1000.0 / kSampleRateHz);
  message->set_timestamp_hop_ms(kTimestampHopMs);
  message->set_min_scene_samples(static_cast<uint64_t>(config.min_scene_samples()));
  message->set_min_timestamp_samples(static_cast<uint64_t>(config.min_timestamp_samples()));
  if (loaded != nullptr) WriteSpace(config.name, *loaded, precision, message->mutable_space());
}

}  // namespace hearwire
