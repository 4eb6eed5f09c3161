// Everything that files give a server is read again while it serves: checkpoints, heads, certificates, tokens.

#ifndef HEARWIRE_SERVER_RELOAD_H_
#define HEARWIRE_SERVER_RELOAD_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "server/engines/engines.h"
#include "server/pipeline/head_catalog.h"
#include "server/pipeline/model_changes.h"
#include "server/pipeline/served_models.h"
#include "server/renewals.h"
#include "server/telemetry/metrics.h"

namespace hearwire {

struct ReloadReport {
  ModelChanges models;
  bool certificate = false;  // Another one is in use.
  bool tokens = false;       // Likewise.
};

// All outlive the reloads.
struct ReloadParts {
  Engines* engines;
  ServedModels* models;
  HeadCatalogOptions heads;
  std::string default_config;
  SelfTest self_test;
  Renewals* renewals;
  Metrics* metrics;
};

// Takes what a start would take, and refuses what a start would refuse: FAILED_PRECONDITION, whatever is wrong; the
// message names the file, and what is served has not changed, nor what connections and callers are held to. Networks
// and heads are loaded and tested beside those that serve, which calls that have begun keep to their end. Certificates
// and tokens come last; they follow their files by themselves too. Log and metrics tell what has come of it. Blocks;
// one thread at a time.
absl::StatusOr<ReloadReport> Reload(const ReloadParts& parts);

// Whether a network that takes so many bytes to load fits beside what the process holds, in a machine of so many; 0:
// that is not known. RESOURCE_EXHAUSTED says the numbers.
absl::Status CheckMemoryForNetwork(int64_t bytes, int64_t machine_bytes);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RELOAD_H_
