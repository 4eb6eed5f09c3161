#include "server/reload.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/configs/config.h"
#include "server/address_space.h"
#include "server/concurrency/border.h"
#include "server/report_models.h"
#include "server/telemetry/log.h"

namespace hearwire {
namespace {

absl::Status CheckServes(const NetworkCatalog& networks, const std::string& default_config) {
  const std::shared_ptr<const Config> config = networks.known()->FindConfig(default_config);
  if (config == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("--default-config ", default_config, " is no config any more"));
  }
  const NetworkInfo& network = *config->network;
  if (networks.Find(network.name) != nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("--default-config ", default_config, " needs the network ", std::string(network.name),
                   ", whose checkpoint has gone: ", HowToGetNetwork(network, "the model repository")));
}

// Those that were told before are no news.
void LogNewWarnings(const std::vector<std::string>& before, const std::vector<std::string>& now) {
  for (const std::string& warning : now) {
    if (std::find(before.begin(), before.end(), warning) == before.end()) Log(LogLevel::kWarning, warning);
  }
}

// For the log: what has changed, by kind.
std::string DescribeChanges(const NameChanges& changes) {
  std::vector<std::string> parts;
  const auto add = [&](const char* what, const std::vector<std::string>& names) {
    if (!names.empty()) parts.push_back(absl::StrCat(what, " ", absl::StrJoin(names, ",")));
  };
  add("added", changes.added);
  add("replaced", changes.replaced);
  add("removed", changes.removed);
  return parts.empty() ? "unchanged" : absl::StrJoin(parts, ", ");
}

absl::StatusOr<ReloadReport> TryReload(const ReloadParts& parts) {
  absl::StatusOr<NetworkCatalog> networks = parts.engines->LoadAgain(parts.self_test);
  if (!networks.ok()) return networks.status();
  if (absl::Status status = CheckServes(*networks, parts.default_config); !status.ok()) return status;
  absl::StatusOr<HeadCatalog> heads = HeadCatalog::Load(parts.heads, *networks);
  if (!heads.ok()) return heads.status();
  Models next{*std::move(networks), *std::move(heads)};

  const Renewals::Renewed renewed = parts.renewals->LookNow();
  if (!renewed.status.ok()) return renewed.status;
  const std::shared_ptr<const Models> before = parts.models->Get();
  ReloadReport report{CompareModels(*before, next), renewed.certificate, renewed.tokens};
  LogNewWarnings(before->networks.warnings(), next.networks.warnings());
  LogNewWarnings(before->heads.warnings(), next.heads.warnings());
  parts.engines->Adopt(next.networks);
  parts.models->Set(std::move(next));
  return report;
}

}  // namespace

absl::StatusOr<ReloadReport> Reload(const ReloadParts& parts) {
  absl::StatusOr<ReloadReport> report = Contain([&] { return TryReload(parts); });
  if (!report.ok()) {
    Log(LogLevel::kError, "reload refused: what was served is served on", {{"error", report.status()}});
    parts.metrics->OnReload(false);
    return absl::FailedPreconditionError(report.status().message());
  }
  const NetworkCatalog& networks = parts.engines->networks();
  parts.metrics->OnLoaded(LoadedConfigs(networks), LoadedNetworks(networks));
  parts.metrics->OnPlaced(PlacedNetworks(*parts.engines));
  Log(LogLevel::kInfo, "reloaded",
      {{"networks", DescribeChanges(report->models.networks)},
       {"heads", DescribeChanges(report->models.heads)},
       {"certificate", report->certificate ? "replaced" : "unchanged"},
       {"tokens", report->tokens ? "replaced" : "unchanged"}});
  parts.metrics->OnReload(true);
  return report;
}

absl::Status CheckMemoryForNetwork(int64_t bytes, int64_t machine_bytes) {
  const int64_t held = AnonymousBytes();
  if (machine_bytes <= 0 || held + bytes <= machine_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("to load it beside what is served takes about ", bytes >> 20,
                                                   " MiB; the server holds ", held >> 20, " of the machine's ",
                                                   machine_bytes >> 20, " MiB: restart it instead"));
}

}  // namespace hearwire
