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
  if (!options.tokens_file.empty() && !has_tls && !IsLoopback(options.host) &&
      options.plaintext_tokens == PlaintextTokens::kRefuse) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tokens-file without TLS on ", options.host,
                     ": whoever is on the way could read the tokens and use them. Add --tls-cert and --tls-key, listen "
                     "on 127.0.0.1, or say --plaintext-tokens=allow where something else encrypts"));
  }
  if (options.unix_socket.size() > kMaxSocketPath) {
    return absl::InvalidArgumentError(absl::StrCat("--unix-socket: the name of a socket has at most ", kMaxSocketPath,
                                                   " bytes, this one ", options.unix_socket.size()));
  }
  return absl::OkStatus();
}

std::optional<std::string> WarnOfExposure(const ServerOptions& options) {
  if (IsLoopback(options.host) || !options.tls_client_ca.empty() || !options.tokens_file.empty()) return std::nullopt;
  if (options.tls_cert.empty()) {
    return "whoever reaches this address may call, and whoever is on the way may read: there is neither TLS "
           "(--tls-cert) nor a list of callers (--tls-client-ca, --tokens-file)";
  }
  return "whoever reaches this address may call: there is no list of callers (--tls-client-ca, --tokens-file)";
}

}  // namespace hearwire
