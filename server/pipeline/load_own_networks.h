// An operator's own networks and configs, beside the published ones.

#ifndef HEARWIRE_SERVER_PIPELINE_LOAD_OWN_NETWORKS_H_
#define HEARWIRE_SERVER_PIPELINE_LOAD_OWN_NETWORKS_H_

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "models/configs/config_catalog.h"
#include "models/own_networks/own_networks_file.h"
#include "server/pipeline/network_catalog.h"

namespace hearwire {

struct OwnNetworks {
  std::vector<std::shared_ptr<LoadedNetwork>> networks;  // In the order of the file.
  std::shared_ptr<const ConfigCatalog> known;            // The published ones and the file's.
};

// Loads the networks of the file, all or those that options.networks names, and makes its configs, but for those of
// networks that are left out: nobody knows either. options.model_repository is the file's folder. Failures are those of
// NetworkCatalog::Load; messages begin with the place in the file. INVALID_ARGUMENT also: labels or classes that are
// not as many as the checkpoint's, no labels for classes that are not AudioSet's, a feature that the network has not.
absl::StatusOr<OwnNetworks> LoadOwnNetworks(const OwnNetworksFile& file, const NetworkCatalogOptions& options,
                                            const NetworkCatalog::AddNetwork& add_network);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_LOAD_OWN_NETWORKS_H_
