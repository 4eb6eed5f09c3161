// From a checkpoint's bytes to a network that a backend runs.

#ifndef HEARWIRE_SERVER_PIPELINE_LOAD_NETWORK_H_
#define HEARWIRE_SERVER_PIPELINE_LOAD_NETWORK_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "models/checkpoint/network_weights.h"
#include "models/configs/config.h"
#include "server/pipeline/network_catalog.h"

namespace hearwire {

// What a checkpoint is taken for.
struct NetworkIdentity {
  // Whether a served network whose checkpoint has the same bytes is this one.
  std::function<bool(const NetworkInfo& served)> is_same;
  // The network that these weights make. Not OK: they are not what they should be. source: their file.
  std::function<absl::StatusOr<std::shared_ptr<const NetworkInfo>>(const NetworkWeights&, std::string_view source)>
      describe;
};

// The network of this file: the served one where that is the same, else one that was handed to add_network. Failures as
// of NetworkCatalog::Load; messages name the file.
absl::StatusOr<std::shared_ptr<LoadedNetwork>> LoadNetwork(const NetworkIdentity& identity, const std::string& path,
                                                           const NetworkCatalogOptions& options,
                                                           const NetworkCatalog::AddNetwork& add_network);

// Likewise the network that the program holds.
absl::StatusOr<std::shared_ptr<LoadedNetwork>> LoadEmbeddedNetwork(const NetworkIdentity& identity,
                                                                   const NetworkCatalogOptions& options,
                                                                   const NetworkCatalog::AddNetwork& add_network);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_LOAD_NETWORK_H_
