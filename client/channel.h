// The connection to a server, set up for messages as large as audio is.

#ifndef HEARWIRE_CLIENT_CHANNEL_H_
#define HEARWIRE_CLIENT_CHANNEL_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/client.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/channel_arguments.h"

namespace hearwire::client {

// Connects with the first call. Thread-safe. INVALID_ARGUMENT, as CheckConnection.
absl::StatusOr<std::shared_ptr<grpc::Channel>> NewChannel(const ClientOptions& options);

// Likewise with arguments of the caller's own: only where the server is, TLS, the token and metadata are as the options
// say. INVALID_ARGUMENT, as CheckConnection.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ClientOptions& options,
                                                           grpc::ChannelArguments arguments);

// INVALID_ARGUMENT says which option of those that OpenChannel takes is wrong.
absl::Status CheckConnection(const ClientOptions& options);

// gRPC's service config, as JSON: which calls are made again, when, and how often; and, of several servers, that calls
// go to them in turn while their health says so. At most one attempt: none is made again.
std::string ServiceConfig(int max_attempts, bool several_servers);

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_CHANNEL_H_
