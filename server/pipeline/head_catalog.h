// The heads that this server has loaded, each tied to the config that it reads and to the network that computes it.

#ifndef HEARWIRE_SERVER_PIPELINE_HEAD_CATALOG_H_
#define HEARWIRE_SERVER_PIPELINE_HEAD_CATALOG_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "models/configs/config.h"
#include "models/heads/head.h"
#include "server/pipeline/network_catalog.h"

namespace hearwire {

// The ending of a head's file, in letters of either case. What stands before it is the head's name.
inline constexpr std::string_view kHeadFileEnding = ".safetensors";

struct LoadedHead {
  Head head;
  std::shared_ptr<const Config> config = nullptr;
  std::shared_ptr<const LoadedNetwork> network = nullptr;
  std::string source;  // The file's path.
};

struct HeadCatalogOptions {
  std::string folder = {};      // Empty: no heads.
  bool allow_mismatch = false;  // A head of another embedding space is a warning, not an error.
  std::string precision = {};   // What the networks compute in, as EmbeddingSpace has it.
};

// Immutable; thread-safe. A copy has the same heads: whoever uses one holds it, and its network.
class HeadCatalog {
 public:
  HeadCatalog() = default;  // No heads.

  // Reads every head of the folder; other files and what is in folders of it are ignored. networks may be placed later.
  //
  // One bad head fails all of it, so that a server never runs without a head that its operator gave it; messages begin
  // with its path and say what would be right. NOT_FOUND: no such folder or linked file, or a config that is not known.
  // FAILED_PRECONDITION: the head's network is not loaded, or its embedding space is not this server's.
  // INVALID_ARGUMENT: a name that a head cannot have, or that another one has but for the case of letters; a link that
  // leads out of the folder; a head that is not as ParseHead wants it, or reads embeddings of another size than its
  // config's. A space is the checkpoint's SHA-256 and, where the head says them, front end and precision.
  static absl::StatusOr<HeadCatalog> Load(const HeadCatalogOptions& options, const NetworkCatalog& networks);

  // Null when there is none of that name.
  std::shared_ptr<const LoadedHead> Find(std::string_view name) const;

  // By name.
  absl::Span<const std::shared_ptr<const LoadedHead>> heads() const { return heads_; }

  // What an operator should know: a mismatch that was allowed, a folder without a head.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  std::vector<std::shared_ptr<const LoadedHead>> heads_;
  std::vector<std::string> warnings_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_HEAD_CATALOG_H_
