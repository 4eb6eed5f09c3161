#include "server/rpc/read_stream_start.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/audio/pcm_stream.h"
#include "server/rpc/write_tags.h"

namespace hearwire {
namespace {

using Heads = std::vector<std::shared_ptr<const LoadedHead>>;

std::variant<Heads, RequestFault> ReadStartsHeads(const v1::StreamStart& start, const HeadCatalog& heads) {
  if (start.heads().empty()) return Heads();
  auto read = ReadHeads(start.heads(), heads);
  if (RequestFault* fault = std::get_if<RequestFault>(&read); fault != nullptr && !fault->field.empty()) {
    fault->field.insert(0, "start.");
  }
  return read;
}

// The config that the start means.
std::variant<std::string_view, RequestFault> ChooseConfig(const v1::StreamStart& start, const Heads& heads,
                                                          std::string_view default_config) {
  if (!start.config().empty()) return std::string_view(start.config());
  if (heads.empty()) return default_config;
  const LoadedHead& first = *heads.front();
  // Embeddings of a config that nobody named would be a surprise. Heads alone need none: the first one's stands for
  // the network and the length of window.
  const auto other =
      std::find_if(heads.begin(), heads.end(), [&](const auto& head) { return head->config != first.config; });
  if (other != heads.end() && (start.timestamps() || start.scenes())) {
    return InvalidRequest(
        "start.config",
        absl::StrCat("heads ", first.head.name, " and ", (*other)->head.name, " read the configs ", first.head.config,
                     " and ", (*other)->head.config, ": say which one's embeddings are ", "asked for"));
  }
  return first.config->name;
}

// Why a stream of this config cannot have the head; nothing: it can.
std::optional<std::string> Misfit(const LoadedHead& head, const ServedConfig& served) {
  const auto milliseconds = [](const Config& config) { return config.timestamp_window_samples * 1000 / kSampleRateHz; };
  const std::string reads = absl::StrCat("head ", head.head.name, " reads the config ", head.head.config, ", ");
  const std::string starts = absl::StrCat("this start's config ", std::string(served.config->name));
  if (head.network != served.network) {
    return absl::StrCat(reads, "of the network ", std::string(head.network->info->name), "; ", starts,
                        " is of the network ", std::string(served.network->info->name), ": open a stream for each");
  }
  if (head.head.kind == Head::Kind::kTimestamps &&
      head.config->timestamp_window_samples != served.config->timestamp_window_samples) {
    return absl::StrCat(reads, "whose windows are ", milliseconds(*head.config), " ms long; those of ", starts, " are ",
                        milliseconds(*served.config), " ms long: open a stream for each");
  }
  return std::nullopt;
}

}  // namespace

std::variant<StreamPlan, RequestFault> ReadStreamStart(const v1::StreamStart& start, std::string_view default_config,
                                                       const NetworkCatalog& networks, const HeadCatalog& heads) {
  StreamPlan plan;
  auto named = ReadStartsHeads(start, heads);
  if (RequestFault* fault = std::get_if<RequestFault>(&named)) return std::move(*fault);
  const Heads& asked = std::get<Heads>(named);
  auto config_name = ChooseConfig(start, asked, default_config);
  if (RequestFault* fault = std::get_if<RequestFault>(&config_name)) return std::move(*fault);
  auto served = ReadConfig(std::get<std::string_view>(config_name), networks);
  if (RequestFault* fault = std::get_if<RequestFault>(&served)) return std::move(*fault);
  plan.served = std::get<ServedConfig>(served);
  for (size_t i = 0; i < asked.size(); ++i) {
    const std::optional<std::string> misfit = Misfit(*asked[i], plan.served);
    if (misfit) return InvalidRequest(absl::StrCat("start.heads[", i, "]"), *misfit);
  }
  auto element_type = ReadElementType(start.element_type());
  if (RequestFault* fault = std::get_if<RequestFault>(&element_type)) {
    fault->field = "start.element_type";
    return std::move(*fault);
  }
  plan.element_type = std::get<v1::ElementType>(element_type);
  if (!start.timestamps() && !start.scenes() && start.tags_top_k() == 0 && asked.empty()) {
    return InvalidRequest("start", "nothing is asked for: set timestamps, scenes, tags_top_k or heads");
  }
  if (start.first_sample() > static_cast<uint64_t>(PcmStream::kMaxFirstSample)) {
    return InvalidRequest("start.first_sample",
                          absl::StrCat(start.first_sample(), " is out of range; 0 to 2^56 are accepted"));
  }
  plan.first_sample = static_cast<int64_t>(start.first_sample());
  plan.format = PcmFormatOf(start);

  const auto add = [&](LaneKind kind, const Readout& readout) {
    return plan.lanes.Add(kind, plan.served.network, *plan.served.config, readout);
  };
  if (start.timestamps()) plan.timestamps = add(LaneKind::kTimestamps, plan.served.config->readout);
  if (start.scenes()) plan.scenes = add(LaneKind::kScene, plan.served.config->readout);
  if (start.tags_top_k() > 0) plan.tags = add(LaneKind::kScene, LogitsReadout());
  plan.top_tags = TagCount(start.tags_top_k(), *plan.served.network->info);
  plan.heads = PlanHeads(asked, &plan.lanes);
  plan.top_labels = start.heads_top_k();
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
