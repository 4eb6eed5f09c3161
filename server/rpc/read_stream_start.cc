#include "server/rpc/read_stream_start.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/audio/pcm_stream.h"

namespace hearwire {
namespace {

RequestFault Invalid(std::string field, std::string message) {
  return {{.status = absl::InvalidArgumentError(message), .reason = reason::kInvalidRequest}, std::move(field)};
}

}  // namespace

std::variant<StreamPlan, RequestFault> ReadStreamStart(const v1::StreamStart& start, std::string_view default_config,
                                                       const NetworkCatalog& networks) {
  StreamPlan plan;
  auto served = ReadConfig(start.config().empty() ? default_config : std::string_view(start.config()), networks);
  if (RequestFault* fault = std::get_if<RequestFault>(&served)) return std::move(*fault);
  plan.served = std::get<ServedConfig>(served);
  auto element_type = ReadElementType(start.element_type());
  if (RequestFault* fault = std::get_if<RequestFault>(&element_type)) {
    fault->field = "start.element_type";
    return std::move(*fault);
  }
  plan.element_type = std::get<v1::ElementType>(element_type);
  plan.timestamps = start.timestamps();
  plan.scenes = start.scenes();
  plan.tags = static_cast<int>(std::min<uint32_t>(start.tags_top_k(), kClassCount));
  if (!plan.timestamps && !plan.scenes && plan.tags == 0) {
    return Invalid("start", "nothing is asked for: set timestamps, scenes or tags_top_k");
  }
  if (start.first_sample() > static_cast<uint64_t>(PcmStream::kMaxFirstSample)) {
    return Invalid("start.first_sample",
                   absl::StrCat(start.first_sample(), " is out of range; 0 to 2^56 are accepted"));
  }
  plan.first_sample = static_cast<int64_t>(start.first_sample());
  plan.format = {.encoding = static_cast<PcmAudio::Encoding>(start.encoding()),
                 .sample_rate_hz = start.sample_rate_hertz(),
                 .channel_count = start.channel_count() == 0 ? 1 : int64_t{start.channel_count()},
                 .samples = {}};

  const Config& config = *plan.served.config;
  if (plan.timestamps) {
    plan.lanes.push_back({.kind = LaneKind::kTimestamps,
                          .network = plan.served.network,
                          .readouts = {config.readout},
                          .timestamp_window_samples = config.timestamp_window_samples,
                          .min_samples = config.min_timestamp_samples()});
  }
  if (plan.scenes || plan.tags > 0) {
    LaneRequest& lane = plan.lanes.emplace_back();
    lane.kind = LaneKind::kScene;
    lane.network = plan.served.network;
    if (plan.scenes) lane.readouts.push_back(config.readout);
    if (plan.tags > 0) lane.readouts.push_back(LogitsReadout());
    lane.min_samples = config.min_scene_samples();
  }
  return plan;
}

std::string StreamField(AudioField field) {
  switch (field) {
    case AudioField::kEncoding:
      return "start.encoding";
    case AudioField::kSampleRate:
      return "start.sample_rate_hertz";
    case AudioField::kChannelCount:
      return "start.channel_count";
    case AudioField::kSource:
      return "start.first_sample";
    case AudioField::kSamples:
    case AudioField::kEncoded:
      break;
  }
  return "samples";
}

}  // namespace hearwire
