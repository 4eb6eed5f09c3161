// Metadata that goes with every call of a channel: a token, and what else was asked for.

#ifndef HEARWIRE_CLIENT_CALL_METADATA_H_
#define HEARWIRE_CLIENT_CALL_METADATA_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "client/client.h"
#include "grpcpp/support/client_interceptor.h"

namespace hearwire::client {

using MetadataPairs = std::vector<std::pair<std::string, std::string>>;

// INVALID_ARGUMENT: gRPC would send none of it, or fail every call for it. Never quotes a token.
absl::Status CheckMetadata(const ClientOptions& options);
absl::Status CheckMetadata(const MetadataPairs& pairs);

// For a channel's creation; empty where nothing is to be added. What a call itself brings goes before. gRPC's call
// credentials would do it over TLS only.
std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> MetadataInterceptors(
    const ClientOptions& options);

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_CALL_METADATA_H_
