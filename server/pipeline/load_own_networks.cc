#include "server/pipeline/load_own_networks.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "models/own_networks/labels_file.h"
#include "server/pipeline/load_network.h"

namespace hearwire {
namespace {

namespace fs = std::filesystem;

// Whether the checkpoint has as many classes as the file says and as there are labels.
absl::Status CheckClasses(const OwnNetworksFile& file, const OwnNetworkEntry& entry,
                          const std::vector<std::string>& labels, int classes) {
  if (entry.classes && *entry.classes != classes) {
    return file.Wrong(entry.classes_place,
                      absl::StrCat(entry.checkpoint, " has ", classes, " classes, not ", *entry.classes));
  }
  if (entry.labels.empty() && classes != kAudioSetClassCount) {
    return file.Wrong(entry.place, absl::StrCat("its labels are missing: ", entry.checkpoint, " has ", classes,
                                                " classes, which are not AudioSet's ", kAudioSetClassCount));
  }
  if (!entry.labels.empty() && labels.size() != static_cast<size_t>(classes)) {
    return file.Wrong(
        entry.labels_place,
        absl::StrCat(entry.labels, " has ", labels.size(), " labels, and ", entry.checkpoint, " ", classes,
                     " classes; there must be a line for each class, in the order of the logits"));
  }
  return absl::OkStatus();
}

bool HasLabels(const NetworkInfo& network, const std::vector<std::string>& labels) {
  return std::equal(network.labels.begin(), network.labels.end(), labels.begin(), labels.end());
}

absl::StatusOr<std::shared_ptr<LoadedNetwork>> LoadOwnNetwork(const OwnNetworksFile& file, const OwnNetworkEntry& entry,
                                                              const NetworkCatalogOptions& options,
                                                              const NetworkCatalog::AddNetwork& add_network) {
  const fs::path folder(options.model_repository);
  // What is said of another file is of a member of this one.
  const auto at = [&](const FilePlace& place, const absl::Status& status) {
    return absl::Status(status.code(), file.Wrong(place, std::string(status.message())).message());
  };
  std::vector<std::string> labels;
  if (!entry.labels.empty()) {
    absl::StatusOr<std::vector<std::string>> read = LoadLabels((folder / entry.labels).string());
    if (!read.ok()) return at(entry.labels_place, read.status());
    labels = *std::move(read);
  }
  const NetworkIdentity identity = {
      .is_same =
          [&](const NetworkInfo& served) {
            return served.name == entry.name && served.mel == entry.mel && HasLabels(served, labels);
          },
      .describe = [&](const NetworkWeights& weights,
                      std::string_view) -> absl::StatusOr<std::shared_ptr<const NetworkInfo>> {
        return MakeNetworkInfo(
            {.name = entry.name, .width = weights.width, .head = weights.head, .mel = entry.mel, .labels = labels});
      }};
  absl::StatusOr<std::shared_ptr<LoadedNetwork>> loaded =
      LoadNetwork(identity, (folder / entry.checkpoint).string(), options, add_network);
  if (!loaded.ok()) return at(entry.checkpoint_place, loaded.status());
  if (absl::Status status = CheckClasses(file, entry, labels, (*loaded)->shape.class_count); !status.ok())
    return status;
  return loaded;
}

}  // namespace

absl::StatusOr<OwnNetworks> LoadOwnNetworks(const OwnNetworksFile& file, const NetworkCatalogOptions& options,
                                            const NetworkCatalog::AddNetwork& add_network) {
  OwnNetworks own;
  const auto known = std::make_shared<ConfigCatalog>();
  for (const OwnNetworkEntry& entry : file.networks) {
    const std::vector<std::string>& chosen = options.networks;
    if (!chosen.empty() && std::find(chosen.begin(), chosen.end(), entry.name) == chosen.end()) continue;
    absl::StatusOr<std::shared_ptr<LoadedNetwork>> loaded = LoadOwnNetwork(file, entry, options, add_network);
    if (!loaded.ok()) return loaded.status();
    known->AddNetwork((*loaded)->info_owner);
    own.networks.push_back(*std::move(loaded));
  }
  for (const OwnConfigEntry& entry : file.configs) {
    std::shared_ptr<const NetworkInfo> network = known->FindNetwork(entry.network);
    if (network == nullptr) continue;  // It is left out.
    if (absl::Status status = CheckFeatures(file, entry, *network); !status.ok()) return status;
    known->AddConfig(MakeConfig(
        {.name = entry.name, .readout = entry.readout, .timestamp_window_samples = entry.timestamp_window_samples},
        std::move(network)));
  }
  own.known = known;
  return own;
}

}  // namespace hearwire
