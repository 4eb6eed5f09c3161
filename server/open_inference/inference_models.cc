#include "server/open_inference/inference_models.h"

#include <array>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/names/nearest_names.h"

namespace hearwire {
namespace {

constexpr std::array kSceneOutputs = {kEmbedding};
constexpr std::array kTimestampOutputs = {kEmbedding, kTimestamps};
constexpr std::array kTagOutputs = {kScores, kLabels};

}  // namespace

InferenceModels::InferenceModels(const ConfigCatalog& known,
                                 const std::function<ModelCounts*(const std::string& name)>& counts_of) {
  const auto add = [&](std::string_view of, const char* ending, InferenceModel::Kind kind,
                       std::shared_ptr<const Config> config) {
    std::string name = absl::StrCat(absl::string_view(of.data(), of.size()), ending);
    ModelCounts* const counts = counts_of(name);
    models_.push_back({std::move(name), kind, std::move(config), counts});
  };
  for (const auto& config : known.configs()) {
    add(config->name, ".scene", InferenceModel::Kind::kScene, config);
    add(config->name, ".timestamps", InferenceModel::Kind::kTimestamps, config);
  }
  for (const auto& network : known.networks()) {
    add(network->name, ".tags", InferenceModel::Kind::kTags, known.ConfigOf(network));
  }
}

std::variant<const InferenceModel*, RequestFault> InferenceModels::Find(std::string_view name,
                                                                        std::string_view version) const {
  for (const InferenceModel& model : models_) {
    if (model.name != name) continue;
    if (version.empty() || version == kModelVersion) return &model;
    return RequestFault{{.status = absl::NotFoundError(absl::StrCat("model ", model.name, " has no version ",
                                                                    Quoted(version), "; its only version is 1")),
                         .reason = reason::kUnknownModel},
                        ""};
  }
  std::vector<std::string_view> names;
  names.reserve(models_.size());
  for (const InferenceModel& model : models_) names.push_back(model.name);
  return UnknownName("model", name, names, "RepositoryIndex", reason::kUnknownModel);
}

std::variant<ServedConfig, RequestFault> ReadServed(const InferenceModel& model, const NetworkCatalog& networks) {
  return model.kind == InferenceModel::Kind::kTags ? ReadNetwork(model.config->network->name, networks)
                                                   : ReadConfig(model.config->name, networks);
}

absl::Span<const std::string_view> OutputsOf(InferenceModel::Kind kind) {
  switch (kind) {
    case InferenceModel::Kind::kScene:
      return kSceneOutputs;
    case InferenceModel::Kind::kTimestamps:
      return kTimestampOutputs;
    case InferenceModel::Kind::kTags:
      break;
  }
  return kTagOutputs;
}

}  // namespace hearwire
