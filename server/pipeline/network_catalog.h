// The networks that this server has loaded, and where their checkpoints came from.

#ifndef HEARWIRE_SERVER_PIPELINE_NETWORK_CATALOG_H_
#define HEARWIRE_SERVER_PIPELINE_NETWORK_CATALOG_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/configs/config.h"
#include "models/configs/network_shape.h"
#include "models/embedder.h"

namespace hearwire {

struct LoadedNetwork {
  const NetworkInfo* info = nullptr;
  int index = -1;  // The backend's.
  NetworkShape shape = {};
  std::string sha256 = {};  // Of the checkpoint file, lower-case hexadecimal.
  std::string source = {};  // The file's path, or "embedded".
  // Of the self-test's window, from NetworkCatalogOptions::make_reference; empty without it.
  std::vector<float> reference_row = {};
};

struct NetworkCatalogOptions {
  // Folder of checkpoints, each under its network's name (mn10_as.pt) or its published name (mn10_as_mAP_471.pt); with
  // both there the former wins, with a warning. Other files are ignored. Empty: none but the embedded network.
  std::string model_repository = {};
  // Networks to load besides the embedded one. Empty: every checkpoint that is found.
  std::vector<std::string> networks = {};
  // Makes a backend whose numbers the self-test compares with; called for each network. May be empty.
  std::function<absl::StatusOr<std::unique_ptr<Backend>>()> make_reference = {};
};

// Immutable once loaded; thread-safe.
class NetworkCatalog {
 public:
  // Reads the embedded network, which is always there, and the repository's, and hands them to `backend`, before its
  // first embedder is made. A checkpoint whose width or head differ from its network's is an error, as is one that
  // cannot be read, be it a link that leads nowhere, a folder, or a file in a folder that this process may not enter.
  // NOT_FOUND: no such folder or linked file, or a network of the list without a checkpoint in it (the message names
  // the files and the command that gets one). INVALID_ARGUMENT: an unknown network's name, or a bad checkpoint.
  static absl::StatusOr<NetworkCatalog> Load(const NetworkCatalogOptions& options, Backend* backend);

  // Null when it is not loaded. The pointer is valid as long as the catalog is, and stays so when the catalog is moved.
  const LoadedNetwork* Find(std::string_view network) const;

  // The embedded network first, then in the order of Networks().
  absl::Span<const LoadedNetwork> networks() const { return networks_; }

  // What an operator should know: a file shadowed by another, weights that are not the published ones, a
  // repository with no checkpoint in it.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  NetworkCatalog() = default;

  std::vector<LoadedNetwork> networks_;
  std::vector<std::string> warnings_;
};

// What an operator does to get `network`: "put mn10_as.pt (or mn10_as_mAP_471.pt) into DIR: hearwire checkpoints fetch
// mn10_as
// --into DIR". One wording for start-up errors and for callers.
std::string HowToGetNetwork(const NetworkInfo& network, std::string_view folder);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_NETWORK_CATALOG_H_
