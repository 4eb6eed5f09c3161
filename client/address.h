// What a client is told of where its servers are.

#ifndef HEARWIRE_CLIENT_ADDRESS_H_
#define HEARWIRE_CLIENT_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"

namespace hearwire::client {

struct Address {
  std::string target;     // As gRPC takes it.
  bool has_tls = false;   // https://
  bool several = false;   // Calls go to all of its servers in turn.
  std::string authority;  // The name to ask for in the servers' certificates, where the target has none; else empty.
};

// HOST:PORT; https://HOST:PORT, of port 443 where it names none; several of one kind with commas between; or what gRPC
// takes by itself (unix:/path, dns:///name:port). gRPC takes several addresses, but no several names: names of a list
// are looked up here, once. INVALID_ARGUMENT says what would be right.
absl::StatusOr<Address> ParseAddress(const std::string& server);

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_ADDRESS_H_
