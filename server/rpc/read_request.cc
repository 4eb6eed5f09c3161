#include "server/rpc/read_request.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/names/nearest_names.h"
#include "server/rpc/request_faults.h"

namespace hearwire {
namespace {

constexpr int kSuggestions = 3;

RequestFault NotLoaded(std::string_view what, const NetworkInfo& network) {
  const std::string name(network.name);
  return {{.status = absl::FailedPreconditionError(absl::StrCat(
               std::string(what), " is not served here: the checkpoint of network ", name,
               " is not loaded. On the server, ", HowToGetNetwork(network, "DIR"),
               "; then start it with --model-repository DIR (and ", name, " in --networks, if that is given)")),
           .reason = reason::kNetworkNotLoaded,
           .facts = {{"network", name}}},
          ""};
}

std::string ClipPath(int clip) { return absl::StrCat("clips[", clip, "]"); }

}  // namespace

RequestFault InvalidRequest(std::string field, std::string_view message, std::string_view reason) {
  return {{.status = absl::InvalidArgumentError(absl::string_view(message.data(), message.size())), .reason = reason},
          std::move(field)};
}

RequestFault UnknownName(const char* what, std::string_view name, absl::Span<const std::string_view> names,
                         const char* method, std::string_view reason, std::string field) {
  std::vector<std::string> nearest;
  for (const std::string_view near : NearestNames(name, names, kSuggestions)) nearest.emplace_back(near);
  const std::string suggestion = nearest.empty() ? ""
                                                 : absl::StrCat("; the nearest ", nearest.size() == 1 ? "is " : "are ",
                                                                absl::StrJoin(nearest, ", "));
  return {{.status = absl::NotFoundError(
               absl::StrCat("no ", what, " is called ", Quoted(name), suggestion, "; ", method, " lists all")),
           .reason = reason},
          std::move(field)};
}

std::optional<RequestFault> CheckClipCount(int64_t clips, int max_clips, std::string_view field) {
  if (clips <= max_clips) return std::nullopt;
  return InvalidRequest(std::string(field),
                        absl::StrCat("there are ", clips, "; this server takes at most ", max_clips,
                                     " clips in a call (its --max-clips): split it into several calls"),
                        reason::kTooManyClips);
}

std::variant<ServedConfig, RequestFault> ReadConfig(std::string_view name, const NetworkCatalog& networks) {
  const ConfigCatalog& known = *networks.known();
  std::shared_ptr<const Config> config = known.FindConfig(name);
  if (config == nullptr) {
    return UnknownName("config", name, known.ConfigNames(), "ListConfigs", reason::kUnknownConfig);
  }
  std::shared_ptr<const LoadedNetwork> network = networks.Find(config->network->name);
  if (network == nullptr) return NotLoaded(absl::StrCat("config ", std::string(name)), *config->network);
  return ServedConfig{std::move(config), std::move(network)};
}

std::variant<ServedConfig, RequestFault> ReadNetwork(std::string_view name, const NetworkCatalog& networks) {
  const ConfigCatalog& known = *networks.known();
  const std::shared_ptr<const NetworkInfo> info = known.FindNetwork(name);
  if (info == nullptr) {
    return UnknownName("network", name, known.NetworkNames(), "ListConfigs", reason::kUnknownNetwork);
  }
  std::shared_ptr<const LoadedNetwork> network = networks.Find(name);
  if (network == nullptr) return NotLoaded(absl::StrCat("network ", std::string(name)), *info);
  return ServedConfig{known.ConfigOf(info), std::move(network)};
}

std::variant<v1::ElementType, RequestFault> ReadElementType(v1::ElementType asked) {
  switch (asked) {
    case v1::ELEMENT_TYPE_UNSPECIFIED:
    case v1::ELEMENT_TYPE_FLOAT32:
      return v1::ELEMENT_TYPE_FLOAT32;
    case v1::ELEMENT_TYPE_FLOAT16:
      return v1::ELEMENT_TYPE_FLOAT16;
    default:
      return InvalidRequest("element_type", absl::StrCat(static_cast<int>(asked),
                                                         " is no element type; 1 is FLOAT32, 2 is "
                                                         "FLOAT16"));
  }
}

std::variant<std::vector<std::shared_ptr<const LoadedHead>>, RequestFault> ReadHeads(
    const google::protobuf::RepeatedPtrField<std::string>& names, const HeadCatalog& heads) {
  if (heads.heads().empty()) {
    return RequestFault{{.status = absl::FailedPreconditionError(absl::StrCat(
                             "no heads are loaded here: start the server with --heads DIR, a folder of files NAME",
                             std::string(kHeadFileEnding), " as python -m hearwire heads train makes them")),
                         .reason = reason::kNoHeads},
                        ""};
  }
  if (names.empty()) return std::vector(heads.heads().begin(), heads.heads().end());
  std::vector<std::shared_ptr<const LoadedHead>> found;
  std::map<const LoadedHead*, int> places;
  for (int i = 0; i < names.size(); ++i) {
    std::shared_ptr<const LoadedHead> loaded = heads.Find(names[i]);
    const std::string field = absl::StrCat("heads[", i, "]");
    if (loaded == nullptr) {
      std::vector<std::string_view> known;
      for (const auto& head : heads.heads()) known.push_back(head->head.name);
      return UnknownName("head", names[i], known, "ListHeads", reason::kUnknownHead, field);
    }
    const auto [place, is_new] = places.emplace(loaded.get(), i);
    if (!is_new)
      return InvalidRequest(field, absl::StrCat(names[i], " is named by heads[", place->second, "] already"));
    found.push_back(std::move(loaded));
  }
  return found;
}

std::variant<std::vector<AudioSource>, RequestFault> ReadClips(const AudioClips& clips, int max_clips) {
  if (clips.empty()) return InvalidRequest("clips", "there are none; a call has at least one clip");
  if (std::optional<RequestFault> fault = CheckClipCount(clips.size(), max_clips, "clips")) return *std::move(fault);
  std::vector<AudioSource> sources;
  sources.reserve(clips.size());
  for (int i = 0; i < clips.size(); ++i) {
    const v1::Audio& clip = clips[i];
    if (clip.source_case() == v1::Audio::kEncoded) {
      sources.push_back(EncodedAudio{clip.encoded()});
      continue;
    }
    if (clip.source_case() != v1::Audio::kPcm) {
      return InvalidRequest(ClipPath(i), "the clip has no audio; set pcm or encoded", reason::kInvalidAudio);
    }
    const v1::Pcm& pcm = clip.pcm();
    PcmAudio audio = PcmFormatOf(pcm);
    audio.samples = pcm.samples();
    sources.push_back(audio);
  }
  return sources;
}

std::string ClipField(const AudioClips& clips, int clip, AudioField field) {
  const bool encoded = clips[clip].source_case() == v1::Audio::kEncoded;
  const char* part = encoded ? ".encoded" : ".pcm";
  if (!encoded) {
    switch (field) {
      case AudioField::kEncoding:
        part = ".pcm.encoding";
        break;
      case AudioField::kSampleRate:
        part = ".pcm.sample_rate_hertz";
        break;
      case AudioField::kChannelCount:
        part = ".pcm.channel_count";
        break;
      case AudioField::kSamples:
        part = ".pcm.samples";
        break;
      case AudioField::kSource:
      case AudioField::kEncoded:
        break;
    }
  }
  return absl::StrCat(ClipPath(clip), part);
}

}  // namespace hearwire
