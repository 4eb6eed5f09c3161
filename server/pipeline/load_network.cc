#include "server/pipeline/load_network.h"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/read_file.h"
#include "models/checkpoint/sha256.h"
#include "models/weights/embedded_network.h"
#include "server/pipeline/self_test_window.h"

namespace hearwire {
namespace {

constexpr std::string_view kEmbeddedSource = "embedded";

// Of what a checkpoint's bytes take in memory again until a backend has them: weights, and those as it reads them.
constexpr int64_t kCopies = 2;

// The served network of this file, or null.
std::shared_ptr<LoadedNetwork> FindServed(const NetworkCatalogOptions& options, const NetworkIdentity& identity,
                                          std::string_view bytes) {
  if (options.served == nullptr) return nullptr;
  for (const std::shared_ptr<LoadedNetwork>& served : options.served->networks()) {
    if (identity.is_same(*served->info) && served->sha256 == Sha256(bytes)) return served;
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

absl::StatusOr<std::shared_ptr<LoadedNetwork>> MakeNetwork(const NetworkIdentity& identity, Checkpoint checkpoint,
                                                           std::string source, const NetworkCatalogOptions& options,
                                                           const NetworkCatalog::AddNetwork& add_network) {
  absl::StatusOr<NetworkWeights> weights = MakeNetworkWeights(std::move(checkpoint), source);
  if (!weights.ok()) return weights.status();
  absl::StatusOr<std::shared_ptr<const NetworkInfo>> info = identity.describe(*weights, source);
  if (!info.ok()) return info.status();
  auto loaded = std::make_shared<LoadedNetwork>();
  loaded->info = info->get();
  loaded->info_owner = *std::move(info);
  loaded->shape = weights->shape;
  loaded->sha256 = weights->sha256;
  loaded->source = std::move(source);
  const auto shared = std::make_shared<const NetworkWeights>(*std::move(weights));
  if (options.make_reference) {
    absl::StatusOr<std::unique_ptr<Backend>> reference = options.make_reference();
    if (!reference.ok()) return reference.status();
    absl::StatusOr<std::vector<float>> row = ComputeReferenceRow(shared, loaded->info->mel, reference->get());
    if (!row.ok()) return row.status();
    loaded->reference_row = *std::move(row);
  }
  absl::StatusOr<AddedNetwork> added = add_network(*loaded->info, shared);
  if (!added.ok() && options.served != nullptr) return Named(added.status(), loaded->source);
  if (!added.ok()) return added.status();
  loaded->index = added->index;
  loaded->held = std::move(added->held);
  return loaded;
}

}  // namespace

absl::StatusOr<std::shared_ptr<LoadedNetwork>> LoadNetwork(const NetworkIdentity& identity, const std::string& path,
                                                           const NetworkCatalogOptions& options,
                                                           const NetworkCatalog::AddNetwork& add_network) {
  absl::StatusOr<FileBytes> bytes = ReadCheckpoint(path);
  if (!bytes.ok()) return bytes.status();
  if (auto served = FindServed(options, identity, bytes->view())) return served;
  if (absl::Status status = CheckMemory(options, bytes->size, path); !status.ok()) return status;
  absl::StatusOr<Checkpoint> checkpoint = ParseCheckpoint(bytes->view(), path);
  if (!checkpoint.ok()) return checkpoint.status();
  bytes->data.reset();  // As large as its tensors.
  return MakeNetwork(identity, *std::move(checkpoint), path, options, add_network);
}

absl::StatusOr<std::shared_ptr<LoadedNetwork>> LoadEmbeddedNetwork(const NetworkIdentity& identity,
                                                                   const NetworkCatalogOptions& options,
                                                                   const NetworkCatalog::AddNetwork& add_network) {
  if (auto served = FindServed(options, identity, EmbeddedCheckpoint())) return served;
  absl::StatusOr<Checkpoint> checkpoint = ParseCheckpoint(EmbeddedCheckpoint(), "the embedded network");
  if (!checkpoint.ok()) return checkpoint.status();
  return MakeNetwork(identity, *std::move(checkpoint), std::string(kEmbeddedSource), options, add_network);
}

}  // namespace hearwire
