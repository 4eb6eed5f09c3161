// Calls of services that are not ours to answer: reflection's streams and health's watches, which stay open for as long
// as their clients like.

#ifndef HEARWIRE_SERVER_OTHER_CALLS_H_
#define HEARWIRE_SERVER_OTHER_CALLS_H_

#include <grpcpp/server_builder.h>

#include <cstdint>

#include "server/listening/calls_by_peer.h"

namespace hearwire {

// The server that is built counts them. gRPC's interface for this is experimental: where a later version has none, a
// drain waits for such streams up to its deadline.
// `calls` counts them by connection too, and outlives the server.
void WatchOtherCalls(grpc::ServerBuilder* builder, CallsByPeer* calls);

// Those of all servers of the process that their services know of and that have not ended.
int64_t CountOtherCalls();

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_OTHER_CALLS_H_
