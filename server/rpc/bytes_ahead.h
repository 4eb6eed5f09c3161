// How much of a stream's audio may be on its way to this server where a proxy between stalls at more: StreamTaken in
// the proto says why.

#ifndef HEARWIRE_SERVER_RPC_BYTES_AHEAD_H_
#define HEARWIRE_SERVER_RPC_BYTES_AHEAD_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <variant>

#include "server/rpc/read_request.h"

namespace hearwire {

// Metadata key: a proxy sets it for the server, the server in its initial metadata for the client.
inline constexpr char kBytesAheadKey[] = "x-hearwire-max-bytes-ahead";
inline constexpr int64_t kLeastBytesAhead = 4 << 10;
inline constexpr int64_t kMostBytesAhead = 16 << 20;

// What a proxy has set; 0: none has. INVALID_ARGUMENT: it is no number from kLeastBytesAhead to kMostBytesAhead, or
// there are several.
std::variant<int64_t, RequestFault> ReadBytesAhead(const grpc::ServerContextBase& context);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_BYTES_AHEAD_H_
