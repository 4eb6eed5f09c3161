// The config of requests that name none.

#ifndef HEARWIRE_SERVER_CHECK_DEFAULT_CONFIG_H_
#define HEARWIRE_SERVER_CHECK_DEFAULT_CONFIG_H_

#include "absl/status/status.h"
#include "server/options.h"

namespace hearwire {

// INVALID_ARGUMENT: no config is called so, published or of the repository's configs.json; the message has names that
// are near. Failures also of ReadOwnNetworks. Needs no networks: it is for the start, before much time has passed.
absl::Status CheckDefaultConfig(const ServerOptions& options);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_CHECK_DEFAULT_CONFIG_H_
