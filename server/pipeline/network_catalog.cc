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
#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/network_weights.h"
#include "models/checkpoint/read_file.h"
#include "models/checkpoint/sha256.h"
#include "models/configs/checkpoint_names.h"
#include "models/weights/embedded_network.h"
#include "server/pipeline/self_test_window.h"

namespace hearwire {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEmbeddedSource = "embedded";

std::string HeadName(HeadKind head) { return head == HeadKind::kMlp ? "mlp" : "fully convolutional"; }

bool IsListed(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

absl::Status CheckNames(const NetworkCatalogOptions& options) {
  for (const std::string& name : options.networks) {
    if (FindNetwork(name) == nullptr) {
      std::string known;
      for (const NetworkInfo& network : Networks()) {
        absl::StrAppend(&known, known.empty() ? "" : ", ", std::string(network.name));
      }
      return absl::InvalidArgumentError(absl::StrCat("no network is called \"", name, "\"; known are ", known));
    }
    if (options.model_repository.empty() && name != kEmbeddedNetworkName) {
      return absl::NotFoundError(absl::StrCat("network ", name, " needs a folder of checkpoints (--model-repository): ",
                                              HowToGetNetwork(*FindNetwork(name), "DIR")));
    }
  }
  if (options.model_repository.empty()) return absl::OkStatus();
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

// Of what a checkpoint's bytes take in memory again until a backend has them: weights, and those as it reads them.
constexpr int64_t kCopies = 2;

// The served network of this file, or null.
std::shared_ptr<LoadedNetwork> FindServed(const NetworkCatalogOptions& options, const NetworkInfo& info,
                                          std::string_view bytes) {
  if (options.served == nullptr) return nullptr;
  for (const std::shared_ptr<LoadedNetwork>& served : options.served->networks()) {
    if (served->info == &info && served->sha256 == Sha256(bytes)) return served;
  }
  return nullptr;
}

absl::Status Named(const absl::Status& status, const std::string& source) {
  return absl::Status(status.code(), absl::StrCat(source, ": ", status.message()));
}

absl::Status CheckMemory(const NetworkCatalogOptions& options, size_t bytes, const std::string& source) {
  if (!options.check_memory || options.served == nullptr) return absl::OkStatus();
  const absl::Status status = options.check_memory(static_cast<int64_t>(bytes) * kCopies);
  return status.ok() ? status : Named(status, source);
}

absl::StatusOr<std::shared_ptr<LoadedNetwork>> MakeNetwork(const NetworkInfo& info, Checkpoint checkpoint,
                                                           std::string source, const NetworkCatalogOptions& options,
                                                           const NetworkCatalog::AddNetwork& add_network) {
  absl::StatusOr<NetworkWeights> weights = MakeNetworkWeights(std::move(checkpoint), source);
  if (!weights.ok()) return weights.status();
  if (std::abs(weights->width - info.width) > 1e-6 || weights->head != info.head) {
    return absl::InvalidArgumentError(absl::StrCat(
        source, " holds a network of width ", weights->width, " with the ", HeadName(weights->head), " head; ",
        std::string(info.name), " has width ", info.width, " and the ", HeadName(info.head), " head"));
  }
  auto loaded = std::make_shared<LoadedNetwork>();
  loaded->info = &info;
  loaded->shape = weights->shape;
  loaded->sha256 = weights->sha256;
  loaded->source = std::move(source);
  const auto shared = std::make_shared<const NetworkWeights>(*std::move(weights));
  if (options.make_reference) {
    absl::StatusOr<std::unique_ptr<Backend>> reference = options.make_reference();
    if (!reference.ok()) return reference.status();
    absl::StatusOr<std::vector<float>> row = ComputeReferenceRow(shared, info.mel, reference->get());
    if (!row.ok()) return row.status();
    loaded->reference_row = *std::move(row);
  }
  absl::StatusOr<AddedNetwork> added = add_network(info, shared);
  if (!added.ok() && options.served != nullptr) return Named(added.status(), loaded->source);
  if (!added.ok()) return added.status();
  loaded->index = added->index;
  loaded->held = std::move(added->held);
  return loaded;
}

absl::StatusOr<std::shared_ptr<LoadedNetwork>> LoadEmbedded(const NetworkCatalogOptions& options,
                                                            const NetworkCatalog::AddNetwork& add_network) {
  const NetworkInfo& info = *FindNetwork(kEmbeddedNetworkName);
  if (auto served = FindServed(options, info, EmbeddedCheckpoint())) return served;
  absl::StatusOr<Checkpoint> checkpoint = ParseCheckpoint(EmbeddedCheckpoint(), "the embedded network");
  if (!checkpoint.ok()) return checkpoint.status();
  return MakeNetwork(info, *std::move(checkpoint), std::string(kEmbeddedSource), options, add_network);
}

absl::StatusOr<std::shared_ptr<LoadedNetwork>> LoadFile(const NetworkInfo& info, const std::string& path,
                                                        const NetworkCatalogOptions& options,
                                                        const NetworkCatalog::AddNetwork& add_network) {
  absl::StatusOr<FileBytes> bytes = ReadCheckpoint(path);
  if (!bytes.ok()) return bytes.status();
  if (auto served = FindServed(options, info, bytes->view())) return served;
  if (absl::Status status = CheckMemory(options, bytes->size, path); !status.ok()) return status;
  absl::StatusOr<Checkpoint> checkpoint = ParseCheckpoint(bytes->view(), path);
  if (!checkpoint.ok()) return checkpoint.status();
  bytes->data.reset();  // As large as its tensors.
  return MakeNetwork(info, *std::move(checkpoint), path, options, add_network);
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
  if (absl::Status status = CheckNames(options); !status.ok()) return status;

  NetworkCatalog catalog;
  absl::StatusOr<std::shared_ptr<LoadedNetwork>> loaded = LoadEmbedded(options, add_network);
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
    loaded = LoadFile(network, *file->path, options, add_network);
    if (!loaded.ok()) return loaded.status();
    if (!network.sha256.empty() && (*loaded)->sha256 != network.sha256) {
      catalog.warnings_.push_back(absl::StrCat(*file->path, " is not the published checkpoint: its SHA-256 is ",
                                               (*loaded)->sha256, ", the published file's is ",
                                               std::string(network.sha256)));
    }
    catalog.networks_.push_back(*std::move(loaded));
  }
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
