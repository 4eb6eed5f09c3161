#include "server/report_models.h"

#include "absl/strings/str_join.h"
#include "server/telemetry/log.h"

namespace hearwire {

void LogModels(const Models& models) {
  for (const std::string& warning : models.networks.warnings()) Log(LogLevel::kWarning, warning);
  for (const auto& network : models.networks.networks()) {
    Log(LogLevel::kInfo, "network loaded",
        {{"network", network->info->name}, {"source", network->source}, {"sha256", network->sha256}});
  }
  for (const std::string& warning : models.heads.warnings()) Log(LogLevel::kWarning, warning);
  for (const auto& loaded : models.heads.heads()) {
    Log(LogLevel::kInfo, "head loaded",
        {{"head", loaded->head.name},
         {"config", loaded->head.config},
         {"source", loaded->source},
         {"sha256", loaded->head.sha256}});
  }
}

void LogEngines(const Engines& engines) {
  for (const EngineInfo& engine : engines.InUse()) {
    Log(LogLevel::kInfo, "engine",
        {{"backend", engine.backend},
         {"device", engine.device},
         {"precision", engine.precision},
         {"workers", engine.batching.workers},
         {"max_batch_frames", engine.batching.queue.max_batch_frames},
         {"networks", absl::StrJoin(engine.networks, ",")}});
  }
}

std::vector<std::string> LoadedConfigs(const NetworkCatalog& networks) {
  std::vector<std::string> names;
  for (const auto& config : networks.known()->configs()) {
    if (networks.Find(config->network->name) != nullptr) names.emplace_back(config->name);
  }
  return names;
}

std::vector<std::string> LoadedNetworks(const NetworkCatalog& networks) {
  std::vector<std::string> names;
  for (const auto& network : networks.networks()) names.emplace_back(network->info->name);
  return names;
}

MetricsOptions LabelsOf(const NetworkCatalog& networks) {
  MetricsOptions labels;
  labels.configs = LoadedConfigs(networks);
  labels.networks = LoadedNetworks(networks);
  for (const std::string_view name : networks.known()->ConfigNames()) labels.known_configs.emplace_back(name);
  for (const std::string_view name : networks.known()->NetworkNames()) labels.known_networks.emplace_back(name);
  return labels;
}

std::vector<PlacedNetwork> PlacedNetworks(const Engines& engines) {
  std::vector<PlacedNetwork> placed;
  for (const EngineInfo& engine : engines.InUse()) {
    for (const std::string& network : engine.networks) {
      placed.push_back({network, engine.backend, engine.device, engine.precision});
    }
  }
  return placed;
}

}  // namespace hearwire
