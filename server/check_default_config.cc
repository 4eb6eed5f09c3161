#include "server/check_default_config.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/configs/config.h"
#include "models/own_networks/own_networks_file.h"
#include "server/names/nearest_names.h"

namespace hearwire {
namespace {

constexpr int kSuggestions = 3;

}  // namespace

absl::Status CheckDefaultConfig(const ServerOptions& options) {
  const std::string& name = options.default_config;
  if (FindConfig(name) != nullptr) return absl::OkStatus();
  OwnNetworksFile own;
  if (!options.model_repository.empty()) {
    absl::StatusOr<OwnNetworksFile> read = ReadOwnNetworks(options.model_repository);
    if (!read.ok()) return read.status();
    own = *std::move(read);
  }
  if (own.FindConfig(name) != nullptr) return absl::OkStatus();
  std::vector<std::string_view> names;
  for (const Config& config : Configs()) names.push_back(config.name);
  for (const OwnConfigEntry& config : own.configs) names.push_back(config.name);
  std::string message = absl::StrCat("--default-config: no config is called ", Quoted(name));
  std::string_view separator = "; did you mean ";
  for (const std::string_view near : NearestNames(name, names, kSuggestions)) {
    message.append(std::exchange(separator, ", ")).append(near);
  }
  return absl::InvalidArgumentError(message);
}

}  // namespace hearwire
