// The door that the options ask for.

#ifndef HEARWIRE_SERVER_MAKE_DOOR_H_
#define HEARWIRE_SERVER_MAKE_DOOR_H_

#include <memory>

#include "absl/status/statusor.h"
#include "server/options.h"
#include "server/rpc/door.h"

namespace hearwire {

// Not OK: one line that names the flag and what is wrong with it, or with its file.
absl::StatusOr<std::unique_ptr<Door>> MakeDoor(const ServerOptions& options);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_MAKE_DOOR_H_
