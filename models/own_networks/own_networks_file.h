// configs.json: the networks and configs that an operator adds to the published ones. docs/own-networks.md has the
// schema.

#ifndef HEARWIRE_MODELS_OWN_NETWORKS_OWN_NETWORKS_FILE_H_
#define HEARWIRE_MODELS_OWN_NETWORKS_OWN_NETWORKS_FILE_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/configs/config.h"

namespace hearwire {

inline constexpr std::string_view kOwnNetworksFile = "configs.json";

// A value of the file, for messages.
struct FilePlace {
  int line = 0;
  std::string field = {};  // "networks[0].labels"
};

struct OwnNetworkEntry {
  FilePlace place;
  std::string name;
  std::string checkpoint;  // A file of the same folder.
  FilePlace checkpoint_place;
  std::optional<int> classes;  // How many the operator says that it has.
  FilePlace classes_place;
  std::string labels;  // A file of the same folder; empty: none, AudioSet's.
  FilePlace labels_place;
  MelSettings mel;
};

struct OwnConfigEntry {
  FilePlace place;
  std::string name;
  std::string network;  // A published one's, or one of the file's.
  Readout readout;
  std::vector<FilePlace> feature_places;  // Of each of the features.
  std::vector<Feature> features;
  int timestamp_window_samples = 0;
};

struct OwnNetworksFile {
  std::string path = {};
  std::vector<OwnNetworkEntry> networks = {};
  std::vector<OwnConfigEntry> configs = {};

  const OwnNetworkEntry* FindNetwork(std::string_view name) const;
  const OwnConfigEntry* FindConfig(std::string_view name) const;

  // INVALID_ARGUMENT: "path:line: field: message".
  absl::Status Wrong(const FilePlace& place, std::string_view message) const;
};

// INVALID_ARGUMENT says path, line, field and what would be right: a member that is not known, is missing or of the
// wrong type; a name that another network or config has, or that cannot be one; a network that is not known; a number
// that the front end does not have; a feature that no network has.
absl::StatusOr<OwnNetworksFile> ParseOwnNetworks(std::string_view text, const std::string& path);

// Of a model repository; empty where the folder has no such file. Failures are those of ParseOwnNetworks, or what the
// system says when the file cannot be read.
absl::StatusOr<OwnNetworksFile> ReadOwnNetworks(const std::string& folder);

// Whether a network has the features that the config reads: a fully convolutional head has no clf2. Else as
// ParseOwnNetworks.
absl::Status CheckFeatures(const OwnNetworksFile& file, const OwnConfigEntry& config, const NetworkInfo& network);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_OWN_NETWORKS_OWN_NETWORKS_FILE_H_
