#include "server/make_door.h"

#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hearwire {

absl::StatusOr<std::unique_ptr<Door>> MakeDoor(const ServerOptions& options) {
  AccessOptions access;
  access.health_is_open = options.health_access == HealthAccess::kOpen;
  access.limits = {options.caller_calls_per_minute, options.caller_bytes_per_minute,
                   options.caller_audio_seconds_per_minute};
  for (const std::string& proxy : options.trusted_proxies) {
    if (absl::Status status = access.trusted_proxies.Add(proxy); !status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--trusted-proxies: \"", proxy, "\" will not do: ", status.message()));
    }
  }
  for (const uid_t admin : {uid_t{0}, geteuid()}) {
    if (absl::Status status = access.admins.Add(absl::StrCat("unix:", admin)); !status.ok()) return status;
  }
  if (!options.tokens_file.empty()) {
    absl::StatusOr<std::unique_ptr<TokenStore>> tokens = TokenStore::Create(options.tokens_file, ServiceMethods());
    if (!tokens.ok()) return tokens.status();
    access.tokens = *std::move(tokens);
  }
  return std::make_unique<Door>(
      std::move(access),
      DoorOptions{.caller_header = options.caller_header, .has_client_certificates = !options.tls_client_ca.empty()});
}

}  // namespace hearwire
