// From a request's bytes to its message, and from a reply to bytes.
//
// gRPC would do it in its own code, before any handler runs: where memory runs out there, nothing can be answered, and
// a large message takes twice its size.

#ifndef HEARWIRE_SERVER_RPC_READ_MESSAGE_H_
#define HEARWIRE_SERVER_RPC_READ_MESSAGE_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <optional>

#include "hearwire/v1/embedding.pb.h"
#include "server/rpc/read_request.h"

namespace hearwire {

// Asked before a message of so many bytes is read; false: it is not. Null: all are read.
inline std::atomic<bool (*)(int64_t bytes)> has_room_for_message = nullptr;

// Fields of a message with so many clips, and more than that: heads, and what callers of later versions may say.
constexpr int64_t MostFields(int64_t clips) { return 16 * clips + (1 << 16); }

// Takes the bytes: `bytes` is empty afterwards. INVALID_ARGUMENT: they are no such message, or have more than
// `most_fields` fields, each of which would take a hundred times its bytes. RESOURCE_EXHAUSTED, MEMORY_FULL: there is
// no room for it; std::bad_alloc and std::length_error likewise. It makes of the bytes what protobuf makes of them
// without fields that it does not know, but a large message is in memory once: its bytes are given back while its audio
// is put together. Protobuf would hold it twice, and a clip of more than 50 MB three times for a while.
std::optional<RequestFault> ReadMessage(grpc::ByteBuffer* bytes, int64_t most_fields,
                                        v1::GetSceneEmbeddingsRequest* message);
std::optional<RequestFault> ReadMessage(grpc::ByteBuffer* bytes, int64_t most_fields,
                                        v1::GetTimestampEmbeddingsRequest* message);
std::optional<RequestFault> ReadMessage(grpc::ByteBuffer* bytes, int64_t most_fields, v1::GetTagsRequest* message);
std::optional<RequestFault> ReadMessage(grpc::ByteBuffer* bytes, int64_t most_fields, v1::ClassifyRequest* message);

// Those without audio, and pieces of a stream.
std::optional<RequestFault> ReadMessage(grpc::ByteBuffer* bytes, int64_t most_fields,
                                        google::protobuf::Message* message);

// The most that a request of health, reflection or administration may have: each is a name, or nothing.
inline constexpr int64_t kSmallMessageBytes = 4 << 10;

// As ReadMessage, but INVALID_ARGUMENT, unread, for a message of more than kSmallMessageBytes.
std::optional<RequestFault> ReadSmallMessage(grpc::ByteBuffer* bytes, google::protobuf::Message* message);

// bytes: empty before.
void WriteMessage(const google::protobuf::Message& message, grpc::ByteBuffer* bytes);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_READ_MESSAGE_H_
