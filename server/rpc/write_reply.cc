#include "server/rpc/write_reply.h"

#include <algorithm>
#include <string>

#include "models/log_mel/clip_windows.h"

namespace hearwire {

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

void WriteHead(const LoadedHead& loaded, std::string_view precision, v1::Head* message) {
  const Head& head = loaded.head;
  message->set_name(head.name);
  message->set_config(head.config);
  message->set_kind(head.kind == Head::Kind::kScene ? v1::HEAD_KIND_SCENE : v1::HEAD_KIND_TIMESTAMPS);
  message->mutable_labels()->Add(head.labels.begin(), head.labels.end());
  message->set_multi_label(head.multi_label());
  WriteSpace(head.config, *loaded.network, precision, message->mutable_space());
  message->set_sha256(head.sha256);
}

}  // namespace hearwire
