#include "server/pipeline/network_catalog.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "models/configs/checkpoint_names.h"
#include "models/own_networks/own_networks_file.h"
#include "server/pipeline/load_network.h"
#include "server/pipeline/load_own_networks.h"

namespace hearwire {
namespace {

namespace fs = std::filesystem;

std::string HeadName(HeadKind head) { return head == HeadKind::kMlp ? "mlp" : "fully convolutional"; }

absl::Status CheckFits(const NetworkInfo& info, const NetworkWeights& weights, std::string_view source) {
  const std::string name(info.name);
  if (std::abs(weights.width - info.width) > 1e-6 || weights.head != info.head) {
    return absl::InvalidArgumentError(absl::StrCat(std::string(source), " holds a network of width ", weights.width,
                                                   " with the ", HeadName(weights.head), " head; ", name, " has width ",
                                                   info.width, " and the ", HeadName(info.head), " head"));
  }
  if (weights.shape.class_count != info.class_count()) {
    return absl::InvalidArgumentError(absl::StrCat(std::string(source), " holds a network of ",
                                                   weights.shape.class_count, " classes; ", name, " has ",
                                                   info.class_count(), ": give it a name of its own in configs.json"));
  }
  return absl::OkStatus();
}

bool IsListed(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

absl::Status CheckNames(const NetworkCatalogOptions& options, const OwnNetworksFile& own) {
  for (const std::string& name : options.networks) {
    if (own.FindNetwork(name) != nullptr) continue;
    if (FindNetwork(name) == nullptr) {
      std::string known;
      for (const NetworkInfo& network : Networks()) {
        absl::StrAppend(&known, known.empty() ? "" : ", ", std::string(network.name));
      }
      for (const OwnNetworkEntry& network : own.networks) absl::StrAppend(&known, ", ", network.name);
      return absl::InvalidArgumentError(absl::StrCat("no network is called \"", name, "\"; known are ", known));
    }
    if (options.model_repository.empty() && name != kEmbeddedNetworkName) {
      return absl::NotFoundError(absl::StrCat("network ", name, " needs a folder of checkpoints (--model-repository): ",
                                              HowToGetNetwork(*FindNetwork(name), "DIR")));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckFolder(const NetworkCatalogOptions& options) {
  std::error_code error;
  if (!fs::is_directory(options.model_repository, error)) {
    return absl::NotFoundError(absl::StrCat("the model repository ", options.model_repository, " is not a folder",
                                            error ? ": " + error.message() : ""));
  }
  return absl::OkStatus();
}

struct FoundFile {
  std::optional<std::string> path;
  std::optional<std::string> shadowed;
};

// Whatever bears a checkpoint's name is meant as one: what cannot be read is an error, not a file less.
absl::StatusOr<FoundFile> FindCheckpoint(const NetworkInfo& network, const std::string& folder) {
  FoundFile found;
  for (const std::string& name : CheckpointNames(network)) {
    std::error_code error;
    const fs::path path = fs::path(folder) / name;
    const fs::file_type type = fs::symlink_status(path, error).type();
    if (type == fs::file_type::not_found) continue;
    const bool leads_nowhere = !error && fs::status(path, error).type() == fs::file_type::not_found;
    if (leads_nowhere)
      return absl::NotFoundError(absl::StrCat(path.string(), " is a link to a file that is not there"));
    if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat(path.string(), " cannot be looked at"));
    (found.path ? found.shadowed : found.path) = path.string();
  }
  return found;
}

// As a published network's checkpoint has to be.
NetworkIdentity Published(const NetworkInfo& info) {
  return {.is_same = [&info](const NetworkInfo& served) { return &served == &info; },
          .describe = [&info](const NetworkWeights& weights,
                              std::string_view source) -> absl::StatusOr<std::shared_ptr<const NetworkInfo>> {
            if (absl::Status status = CheckFits(info, weights, source); !status.ok()) return status;
            return Unowned(&info);
          }};
}

}  // namespace

std::string HowToGetNetwork(const NetworkInfo& network, std::string_view folder) {
  const std::string name(network.name);
  const std::vector<std::string> files = CheckpointNames(network);
  const std::string other = files.size() > 1 ? absl::StrCat(" (or ", files[1], ")") : "";
  return absl::StrCat("put ", files[0], other, " into ", std::string(folder), ": hearwire checkpoints fetch ", name,
                      " --into ", std::string(folder));
}

absl::StatusOr<NetworkCatalog> NetworkCatalog::Load(const NetworkCatalogOptions& options,
                                                    const AddNetwork& add_network) {
  OwnNetworksFile own_file;
  if (!options.model_repository.empty()) {
    if (absl::Status status = CheckFolder(options); !status.ok()) return status;
    absl::StatusOr<OwnNetworksFile> read = ReadOwnNetworks(options.model_repository);
    if (!read.ok()) return read.status();
    own_file = *std::move(read);
  }
  if (absl::Status status = CheckNames(options, own_file); !status.ok()) return status;

  NetworkCatalog catalog;
  absl::StatusOr<std::shared_ptr<LoadedNetwork>> loaded =
      LoadEmbeddedNetwork(Published(*FindNetwork(kEmbeddedNetworkName)), options, add_network);
  if (!loaded.ok()) return loaded.status();
  catalog.networks_.push_back(*std::move(loaded));
  if (options.model_repository.empty()) return catalog;

  for (const NetworkInfo& network : Networks()) {
    if (!options.networks.empty() && !IsListed(options.networks, network.name)) continue;
    const absl::StatusOr<FoundFile> file = FindCheckpoint(network, options.model_repository);
    if (!file.ok()) return file.status();
    if (network.name == kEmbeddedNetworkName) {
      if (file->path) {
        catalog.warnings_.push_back(absl::StrCat(*file->path, " is not read: the program holds this network itself"));
      }
      continue;
    }
    if (!file->path) {
      if (options.networks.empty()) continue;
      return absl::NotFoundError(absl::StrCat("network ", std::string(network.name), " has no checkpoint in ",
                                              options.model_repository, ": ",
                                              HowToGetNetwork(network, options.model_repository)));
    }
    if (file->shadowed) {
      catalog.warnings_.push_back(absl::StrCat(*file->shadowed, " is not read: ", *file->path, " goes before it"));
    }
    loaded = LoadNetwork(Published(network), *file->path, options, add_network);
    if (!loaded.ok()) return loaded.status();
    if (!network.sha256.empty() && (*loaded)->sha256 != network.sha256) {
      catalog.warnings_.push_back(absl::StrCat(*file->path, " is not the published checkpoint: its SHA-256 is ",
                                               (*loaded)->sha256, ", the published file's is ",
                                               std::string(network.sha256)));
    }
    catalog.networks_.push_back(*std::move(loaded));
  }
  absl::StatusOr<OwnNetworks> own = LoadOwnNetworks(own_file, options, add_network);
  if (!own.ok()) return own.status();
  catalog.networks_.insert(catalog.networks_.end(), own->networks.begin(), own->networks.end());
  catalog.known_ = own->known;
  if (catalog.networks_.size() == 1 && options.networks.empty()) {
    catalog.warnings_.push_back(absl::StrCat("no checkpoint was found in ", options.model_repository,
                                             ": only the embedded network is served. For another, ",
                                             HowToGetNetwork(*FindNetwork("mn10_as"), options.model_repository)));
  }
  return catalog;
}

absl::StatusOr<NetworkCatalog> NetworkCatalog::Load(const NetworkCatalogOptions& options, Backend* backend) {
  return Load(options,
              [backend](const NetworkInfo& info,
                        std::shared_ptr<const NetworkWeights> weights) -> absl::StatusOr<AddedNetwork> {
                const absl::StatusOr<int> index = backend->AddNetwork(std::move(weights), info.mel);
                if (!index.ok()) return index.status();
                return AddedNetwork{.index = *index};
              });
}

NetworkCatalog NetworkCatalog::Of(std::shared_ptr<LoadedNetwork> network) {
  NetworkCatalog catalog;
  catalog.networks_.push_back(std::move(network));
  return catalog;
}

NetworkCatalog NetworkCatalog::Without(const NetworkCatalog& other) const {
  NetworkCatalog rest;
  for (const std::shared_ptr<LoadedNetwork>& network : networks_) {
    if (std::find(other.networks_.begin(), other.networks_.end(), network) == other.networks_.end()) {
      rest.networks_.push_back(network);
    }
  }
  return rest;
}

void NetworkCatalog::Place(size_t network, int index, Batcher* batcher) {
  networks_[network]->index = index;
  networks_[network]->batcher = batcher;
}

void NetworkCatalog::PlaceAll(Batcher* batcher) {
  for (const auto& network : networks_) network->batcher = batcher;
}

std::shared_ptr<const LoadedNetwork> NetworkCatalog::Find(std::string_view network) const {
  const auto found = std::find_if(networks_.begin(), networks_.end(),
                                  [&](const auto& loaded) { return loaded->info->name == network; });
  return found == networks_.end() ? nullptr : *found;
}

}  // namespace hearwire
