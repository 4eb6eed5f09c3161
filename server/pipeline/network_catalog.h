// The networks that this server has loaded, and where their checkpoints came from.

#ifndef HEARWIRE_SERVER_PIPELINE_NETWORK_CATALOG_H_
#define HEARWIRE_SERVER_PIPELINE_NETWORK_CATALOG_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/checkpoint/network_weights.h"
#include "models/configs/config.h"
#include "models/configs/config_catalog.h"
#include "models/configs/network_shape.h"
#include "models/embedder.h"

namespace hearwire {

class Batcher;

struct LoadedNetwork {
  const NetworkInfo* info = nullptr;
  std::shared_ptr<const NetworkInfo> info_owner = nullptr;  // Null: info lives for ever.
  int index = -1;                                           // In the backend that runs it.
  Batcher* batcher = nullptr;  // That feeds this backend, and so takes the network's calls. Null until it is placed.
  NetworkShape shape = {};
  std::string sha256 = {};  // Of the checkpoint file, lower-case hexadecimal.
  std::string source = {};  // The file's path, or "embedded".
  // Of the self-test's window, from NetworkCatalogOptions::make_reference; empty without it.
  std::vector<float> reference_row = {};
  // While it is there, so are the weights.
  std::shared_ptr<const void> held = nullptr;
};

// A network that a backend has taken over.
struct AddedNetwork {
  int index = -1;
  std::shared_ptr<const void> held = nullptr;  // As LoadedNetwork's.
};

struct NetworkCatalogOptions {
  // Folder of checkpoints, each under its network's name (mn10_as.pt) or its published name (mn10_as_mAP_471.pt); with
  // both there the former wins, with a warning. A file configs.json adds networks and configs (models/own_networks).
  // Other files are ignored. Empty: none but the embedded network.
  std::string model_repository = {};
  // Networks to load besides the embedded one. Empty: every checkpoint that is found.
  std::vector<std::string> networks = {};
  // Makes a backend whose numbers the self-test compares with; called for each network. May be empty.
  std::function<absl::StatusOr<std::unique_ptr<Backend>>()> make_reference = {};
  // A catalog that is served already. Of its networks those whose checkpoints have the same bytes are taken over as
  // they are: they are not added again. Null: none.
  const class NetworkCatalog* served = nullptr;
  // Asked before a network is loaded beside those that are served, with about the bytes of memory that takes. Not OK:
  // why it is not. May be empty.
  std::function<absl::Status(int64_t bytes)> check_memory = {};
};

// Immutable once its networks are placed; thread-safe from then on. A copy has the same networks: whoever uses one
// holds it, and it ends with the last of them.
class NetworkCatalog {
 public:
  // Takes a network over, as Backend::AddNetwork does.
  using AddNetwork =
      std::function<absl::StatusOr<AddedNetwork>(const NetworkInfo&, std::shared_ptr<const NetworkWeights>)>;

  // Reads the embedded network, which is always there, and the repository's, and hands each to `add_network`, in the
  // order of networks(). A checkpoint whose width or head differ from its network's
  // is an error, as is one that cannot be read, be it a link that leads nowhere, a folder, or a file in a folder that
  // this process may not enter. NOT_FOUND: no such folder or linked file, or a network of the list without a checkpoint
  // in it (the message names the files and the command that gets one). INVALID_ARGUMENT: an unknown network's name, or
  // a bad checkpoint, or what configs.json must not say.
  static absl::StatusOr<NetworkCatalog> Load(const NetworkCatalogOptions& options, const AddNetwork& add_network);
  // All to one backend.
  static absl::StatusOr<NetworkCatalog> Load(const NetworkCatalogOptions& options, Backend* backend);

  // A catalog of one network alone.
  static NetworkCatalog Of(std::shared_ptr<LoadedNetwork> network);

  // Those of this one that the other has not.
  NetworkCatalog Without(const NetworkCatalog& other) const;

  // From now on calls of networks()[network] go to `batcher`, whose backend knows it as `index`. Not once calls are
  // served.
  void Place(size_t network, int index, Batcher* batcher);
  // All on one batcher; their indices stay.
  void PlaceAll(Batcher* batcher);

  // Null when it is not loaded.
  std::shared_ptr<const LoadedNetwork> Find(std::string_view network) const;

  // All networks and configs, loaded or not.
  const std::shared_ptr<const ConfigCatalog>& known() const { return known_; }

  // The embedded network first, then in the order of known().
  absl::Span<const std::shared_ptr<LoadedNetwork>> networks() const { return networks_; }

  // What an operator should know: a file shadowed by another, weights that are not the published ones, a
  // repository with no checkpoint in it.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  NetworkCatalog() = default;

  std::vector<std::shared_ptr<LoadedNetwork>> networks_;
  std::shared_ptr<const ConfigCatalog> known_ = std::make_shared<ConfigCatalog>();
  std::vector<std::string> warnings_;
};

// What an operator does to get `network`: "put mn10_as.pt (or mn10_as_mAP_471.pt) into DIR: hearwire checkpoints fetch
// mn10_as
// --into DIR". One wording for start-up errors and for callers.
std::string HowToGetNetwork(const NetworkInfo& network, std::string_view folder);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_NETWORK_CATALOG_H_
