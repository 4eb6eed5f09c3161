#include "models/configs/config_catalog.h"

#include <algorithm>
#include <utility>

namespace hearwire {
namespace {

constexpr int kShortestPublishedWindow = 5120;

template <typename Entry>
std::shared_ptr<const Entry> FindNamed(const std::vector<std::shared_ptr<const Entry>>& entries,
                                       std::string_view name) {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry->name == name; });
  return found == entries.end() ? nullptr : *found;
}

template <typename Entry>
std::vector<std::string_view> NamesOf(const std::vector<std::shared_ptr<const Entry>>& entries) {
  std::vector<std::string_view> names;
  names.reserve(entries.size());
  for (const auto& entry : entries) names.push_back(entry->name);
  return names;
}

}  // namespace

std::shared_ptr<const NetworkInfo> MakeNetworkInfo(OwnNetwork network) {
  struct Owned {
    OwnNetwork network;
    std::vector<std::string_view> labels;
    NetworkInfo info;
  };
  const auto owned = std::make_shared<Owned>();
  owned->network = std::move(network);
  const OwnNetwork& own = owned->network;
  owned->labels.assign(own.labels.begin(), own.labels.end());
  owned->info = {.name = own.name,
                 .width = own.width,
                 .head = own.head,
                 .mel = own.mel,
                 .published_file = {},
                 .sha256 = {},
                 .labels = owned->labels};
  return {owned, &owned->info};
}

std::shared_ptr<const Config> MakeConfig(OwnConfig config, std::shared_ptr<const NetworkInfo> network) {
  struct Owned {
    std::string name;
    std::shared_ptr<const NetworkInfo> network;
    Config config;
  };
  const auto owned = std::make_shared<Owned>();
  owned->name = std::move(config.name);
  owned->network = std::move(network);
  owned->config = {.name = owned->name,
                   .network = owned->network.get(),
                   .readout = config.readout,
                   .timestamp_window_samples = config.timestamp_window_samples};
  return {owned, &owned->config};
}

ConfigCatalog::ConfigCatalog() {
  for (const NetworkInfo& network : Networks()) networks_.push_back(Unowned(&network));
  for (const Config& config : Configs()) configs_.push_back(Unowned(&config));
}

std::shared_ptr<const NetworkInfo> ConfigCatalog::FindNetwork(std::string_view name) const {
  return FindNamed(networks_, name);
}

std::shared_ptr<const Config> ConfigCatalog::FindConfig(std::string_view name) const {
  return FindNamed(configs_, name);
}

std::shared_ptr<const Config> ConfigCatalog::ConfigOf(const std::shared_ptr<const NetworkInfo>& network) const {
  const auto found = std::find_if(configs_.begin(), configs_.end(),
                                  [&](const auto& config) { return config->network == network.get(); });
  if (found != configs_.end()) return *found;
  return MakeConfig({.name = {}, .readout = LogitsReadout(), .timestamp_window_samples = kShortestPublishedWindow},
                    network);
}

std::vector<std::string_view> ConfigCatalog::NetworkNames() const { return NamesOf(networks_); }

std::vector<std::string_view> ConfigCatalog::ConfigNames() const { return NamesOf(configs_); }

}  // namespace hearwire
