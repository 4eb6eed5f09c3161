// The connection to a server, set up for messages as large as audio is.

#ifndef HEARWIRE_CLIENT_CHANNEL_H_
#define HEARWIRE_CLIENT_CHANNEL_H_

#include <memory>
#include <string>

#include "client/client.h"
#include "grpcpp/channel.h"

namespace hearwire::client {

// Options must be checked. Connects with the first call. Thread-safe.
std::shared_ptr<grpc::Channel> NewChannel(const ClientOptions& options);

// gRPC's service config, as JSON: which calls are made again, when, and how often.
std::string ServiceConfig(int max_attempts);

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_CHANNEL_H_
