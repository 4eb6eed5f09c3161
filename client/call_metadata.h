// Metadata that goes with every call of a channel: a token, and what else was asked for.

#ifndef HEARWIRE_CLIENT_CALL_METADATA_H_
#define HEARWIRE_CLIENT_CALL_METADATA_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "client/client.h"
#include "grpcpp/support/client_interceptor.h"

namespace hearwire::client {

// INVALID_ARGUMENT: gRPC would send none of it, or fail every call for it. Never quotes a token.
absl::Status CheckMetadata(const ClientOptions& options);

// For a channel's creation; empty where nothing is to be added. gRPC's call credentials would do it over TLS only.
std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> MetadataInterceptors(
    const ClientOptions& options);

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_CALL_METADATA_H_
