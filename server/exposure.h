// What the network may reach, judged before anything listens.

#ifndef HEARWIRE_SERVER_EXPOSURE_H_
#define HEARWIRE_SERVER_EXPOSURE_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "server/options.h"

namespace hearwire {

// Whether only this machine reaches an address of --host: 127.0.0.0/8, ::1, localhost.
bool IsLoopback(std::string_view host);

// INVALID_ARGUMENT, in one line that names the flags: options of the transport that do not go together.
absl::Status CheckExposure(const ServerOptions& options);

// One line that says what anybody on the network may do, when nothing keeps them from it.
std::optional<std::string> WarnOfExposure(const ServerOptions& options);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_EXPOSURE_H_
