// Whether a stream may be opened with its options.

#ifndef HEARWIRE_CLIENT_STREAM_OPTIONS_H_
#define HEARWIRE_CLIENT_STREAM_OPTIONS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "client/stream.h"

namespace hearwire::client {

// INVALID_ARGUMENT says which option is wrong. What only the server knows (the config, its limits) is left to it.
absl::Status CheckStreamOptions(const StreamOptions& options, int64_t max_message_bytes);

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_STREAM_OPTIONS_H_
