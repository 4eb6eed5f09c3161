// As read_message.h, for requests of which more is made than a message.

#ifndef HEARWIRE_SERVER_RPC_READ_PARTS_H_
#define HEARWIRE_SERVER_RPC_READ_PARTS_H_

#include <google/protobuf/io/zero_copy_stream.h>
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <optional>

#include "server/rpc/read_request.h"

namespace hearwire {

// Reads the bytes, each slice of which is given back when the next one is asked for. False: they are no such message.
using ParseStream = std::function<bool(google::protobuf::io::ZeroCopyInputStream* bytes)>;

// `parse` makes of the bytes whatever it makes, `message` among it, whose type says how many fields they have.
std::optional<RequestFault> ReadParts(grpc::ByteBuffer* bytes, int64_t most_fields, google::protobuf::Message* message,
                                      const ParseStream& parse);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_READ_PARTS_H_
