#include "server/exposure.h"

#include <sys/un.h>

#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

constexpr size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;

}  // namespace

bool IsLoopback(std::string_view host) {
  return host.starts_with("127.") || host == "localhost" || host == "::1" || host == "[::1]";
}

absl::Status CheckExposure(const ServerOptions& options) {
  const bool has_tls = !options.tls_cert.empty();
  if (has_tls != !options.tls_key.empty()) {
    return absl::InvalidArgumentError(has_tls ? "--tls-cert is given without --tls-key: TLS takes both"
                                              : "--tls-key is given without --tls-cert: TLS takes both");
  }
  if (!options.tls_client_ca.empty() && !has_tls) {
    return absl::InvalidArgumentError("--tls-client-ca is given without --tls-cert and --tls-key: it needs TLS");
  }
  if (options.unix_socket.size() > kMaxSocketPath) {
    return absl::InvalidArgumentError(absl::StrCat("--unix-socket: the name of a socket has at most ", kMaxSocketPath,
                                                   " bytes, this one ", options.unix_socket.size()));
  }
  return absl::OkStatus();
}

std::optional<std::string> WarnOfExposure(const ServerOptions& options) {
  if (IsLoopback(options.host) || !options.tls_client_ca.empty()) return std::nullopt;
  if (options.tls_cert.empty()) {
    return "whoever reaches this address may call, and whoever is on the way may read: there is neither TLS "
           "(--tls-cert) nor a list of callers";
  }
  return "whoever reaches this address may call: there is no list of callers (--tls-client-ca)";
}

}  // namespace hearwire
