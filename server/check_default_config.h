// The config of requests that name none.

#ifndef HEARWIRE_SERVER_CHECK_DEFAULT_CONFIG_H_
#define HEARWIRE_SERVER_CHECK_DEFAULT_CONFIG_H_

#include <string>

#include "absl/status/status.h"

namespace hearwire {

// INVALID_ARGUMENT: no config is called so; the message has names that are near. Needs no networks: it is for the
// start, before much time has passed.
absl::Status CheckDefaultConfig(const std::string& name);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_CHECK_DEFAULT_CONFIG_H_
