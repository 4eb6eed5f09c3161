#include "load/workload.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "hearwire/v1/embedding.pb.h"
#include "load/clips.h"

namespace hearwire::load {
namespace {

constexpr int kClipsOfADistribution = 64;
constexpr int kClipsOfALength = 4;
constexpr int64_t kMostBytes = int64_t{1} << 30;

const char* MethodName(CallKind kind) {
  switch (kind) {
    case CallKind::kScene:
      return "GetSceneEmbeddings";
    case CallKind::kTimestamps:
      return "GetTimestampEmbeddings";
    case CallKind::kTags:
      return "GetTags";
    case CallKind::kConfigs:
      break;
  }
  return "ListConfigs";
}

grpc::ByteBuffer Body(const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

absl::Status TooLarge() {
  return absl::ResourceExhaustedError(
      "the requests of this mix take more than 1 GiB of memory: shorter or fewer clips would do");
}

absl::StatusOr<std::vector<Clip>> MakeClips(const WorkloadOptions& options) {
  std::vector<Clip> clips;
  for (const std::string& file : options.files) {
    absl::StatusOr<Clip> clip = FileClip(file);
    if (!clip.ok()) return absl::Status(clip.status().code(), absl::StrCat(file, ": ", clip.status().message()));
    clips.push_back(*std::move(clip));
  }
  if (!clips.empty()) return clips;
  std::vector<double> lengths = options.lengths.Spread(kClipsOfADistribution);
  // Of few lengths, several clips each: the same bytes again and again would flatter any cache.
  const std::vector<double> once = lengths;
  while (lengths.size() < kClipsOfALength) lengths.insert(lengths.end(), once.begin(), once.end());
  const double seconds = std::accumulate(lengths.begin(), lengths.end(), 0.0);
  if (seconds * options.sample_rate_hz * sizeof(int16_t) * options.clips_per_call > kMostBytes) return TooLarge();
  for (size_t i = 0; i < lengths.size(); ++i) {
    clips.push_back(NoiseClip(lengths[i], options.sample_rate_hz, options.seed + i));
  }
  return clips;
}

// The request of one kind whose first clip is clips[first].
template <typename Request>
void FillRequest(const std::vector<Clip>& clips, size_t first, int count, Request request, PreparedCall* call) {
  for (int i = 0; i < count; ++i) {
    const Clip& clip = clips[(first + static_cast<size_t>(i)) % clips.size()];
    *request.add_clips() = clip.audio;
    call->audio_seconds += clip.seconds;
  }
  call->body = Body(request);
}

template <typename Request>
Request ForConfig(const std::string& config) {
  Request request;
  request.set_config(config);
  return request;
}

PreparedCall Prepare(CallKind kind, const std::string& config, const client::ConfigInfo* served,
                     const std::vector<Clip>& clips, size_t first, int count) {
  PreparedCall call;
  call.method = MethodName(kind);
  call.path = absl::StrCat("/hearwire.v1.EmbeddingService/", call.method);
  // The metrics know configs by name only while they are served.
  const bool loaded = served != nullptr && served->loaded;
  const std::string network = served != nullptr ? served->network : config;
  call.config = !loaded ? "unknown" : kind == CallKind::kTags ? network : served->name;
  switch (kind) {
    case CallKind::kScene:
      FillRequest(clips, first, count, ForConfig<v1::GetSceneEmbeddingsRequest>(config), &call);
      break;
    case CallKind::kTimestamps:
      FillRequest(clips, first, count, ForConfig<v1::GetTimestampEmbeddingsRequest>(config), &call);
      break;
    case CallKind::kTags: {
      v1::GetTagsRequest request;
      if (!config.empty()) request.set_network(network);
      FillRequest(clips, first, count, std::move(request), &call);
      break;
    }
    case CallKind::kConfigs:
      call.config = "";
      call.body = Body(v1::ListConfigsRequest());
      break;
  }
  call.bytes = static_cast<int64_t>(call.body.Length());
  return call;
}

}  // namespace

const char* KindName(CallKind kind) {
  switch (kind) {
    case CallKind::kScene:
      return "scene";
    case CallKind::kTimestamps:
      return "timestamps";
    case CallKind::kTags:
      return "tags";
    case CallKind::kConfigs:
      break;
  }
  return "configs";
}

absl::StatusOr<Workload> Workload::Create(const WorkloadOptions& options,
                                          const std::vector<client::ConfigInfo>& served) {
  const absl::StatusOr<std::vector<Clip>> clips = MakeClips(options);
  if (!clips.ok()) return clips.status();
  Workload workload;
  int64_t bytes = 0;
  std::vector<std::string> parts;
  for (const Weighted<CallKind>& kind : options.kinds) {
    const bool one = kind.value == CallKind::kConfigs;  // Whatever the config and the clip.
    for (const Weighted<std::string>& config : options.configs) {
      const auto found = std::find_if(served.begin(), served.end(), [&](const client::ConfigInfo& info) {
        return config.value.empty() ? info.is_default : info.name == config.value;
      });
      const client::ConfigInfo* info = found == served.end() ? nullptr : &*found;
      Part part{kind.weight * (one ? 1 : config.weight), {}};
      for (size_t first = 0; first < (one ? 1 : clips->size()); ++first) {
        part.calls.push_back(Prepare(kind.value, config.value, info, *clips, first, options.clips_per_call));
        bytes += part.calls.back().bytes;
        if (bytes > kMostBytes) return TooLarge();
      }
      workload.total_weight_ += part.weight;
      workload.parts_.push_back(std::move(part));
      const std::string name = !config.value.empty() ? config.value : info != nullptr ? info->name : "default config";
      const std::string what = one ? KindName(kind.value) : absl::StrCat(KindName(kind.value), " of ", name);
      parts.push_back(options.kinds.size() * options.configs.size() > 1
                          ? absl::StrFormat("%g x %s", workload.parts_.back().weight, what)
                          : what);
      if (one) break;
    }
  }
  workload.description_ = absl::StrJoin(parts, ", ");
  return workload;
}

const PreparedCall& Workload::Pick(std::mt19937_64& random) const {
  double at = std::uniform_real_distribution<double>(0, total_weight_)(random);
  const Part* part = &parts_.front();
  for (const Part& candidate : parts_) {
    part = &candidate;
    at -= candidate.weight;
    if (at < 0) break;
  }
  return part->calls[std::uniform_int_distribution<size_t>(0, part->calls.size() - 1)(random)];
}

double Workload::MeanAudioSeconds() const {
  double sum = 0;
  for (const Part& part : parts_) {
    double of_part = 0;
    for (const PreparedCall& call : part.calls) of_part += call.audio_seconds;
    sum += part.weight * of_part / static_cast<double>(part.calls.size());
  }
  return sum / total_weight_;
}

}  // namespace hearwire::load
