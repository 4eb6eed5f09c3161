// Requests are read in gRPC's own code, before any handler runs. Where memory runs out there, nothing could be
// answered: the exception would pass gRPC's threads and end the process. These traits let such a message pass unread,
// with a mark by which its handler knows it. Included by the generated embedding.grpc.pb.h.

#ifndef HEARWIRE_PROTO_GUARDED_MESSAGES_H_
#define HEARWIRE_PROTO_GUARDED_MESSAGES_H_

#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <atomic>
#include <cstdint>
#include <new>
#include <stdexcept>

#include "hearwire/v1/embedding.pb.h"

namespace hearwire {

// Asked before a message of so many bytes is read; false: it is left unread. Null: all are read.
inline std::atomic<bool (*)(int64_t bytes)> has_room_for_message = nullptr;

// The highest number a field may have; no message uses it. Whoever sends it is answered as if memory had run out.
inline constexpr int kUnreadMark = (1 << 29) - 1;

// Whether memory was too short to read the message, which is empty then.
inline bool IsUnread(const google::protobuf::Message& message) {
  const google::protobuf::UnknownFieldSet& fields = message.GetReflection()->GetUnknownFields(message);
  for (int i = 0; i < fields.field_count(); ++i) {
    if (fields.field(i).number() == kUnreadMark) return true;
  }
  return false;
}

template <typename Message>
class GuardedTraits {
 public:
  static grpc::Status Serialize(const google::protobuf::MessageLite& message, grpc::ByteBuffer* buffer, bool* own) {
    return grpc::GenericSerialize<grpc::ProtoBufferWriter, Message>(message, buffer, own);
  }

  static grpc::Status Deserialize(grpc::ByteBuffer* buffer, google::protobuf::MessageLite* message) {
    const auto has_room = has_room_for_message.load(std::memory_order_relaxed);
    if (has_room == nullptr || has_room(static_cast<int64_t>(buffer->Length()))) {
      try {
        return grpc::GenericDeserialize<grpc::ProtoBufferReader, Message>(buffer, message);
      } catch (const std::bad_alloc&) {
      } catch (const std::length_error&) {
      }
    }
    buffer->Clear();
    auto* const unread = static_cast<Message*>(message);
    unread->Clear();
    unread->GetReflection()->MutableUnknownFields(unread)->AddVarint(kUnreadMark, 1);
    return grpc::Status::OK;
  }
};

}  // namespace hearwire

namespace grpc {

template <>
class SerializationTraits<hearwire::v1::GetSceneEmbeddingsRequest, void>
    : public hearwire::GuardedTraits<hearwire::v1::GetSceneEmbeddingsRequest> {};
template <>
class SerializationTraits<hearwire::v1::GetTimestampEmbeddingsRequest, void>
    : public hearwire::GuardedTraits<hearwire::v1::GetTimestampEmbeddingsRequest> {};
template <>
class SerializationTraits<hearwire::v1::GetTagsRequest, void>
    : public hearwire::GuardedTraits<hearwire::v1::GetTagsRequest> {};
template <>
class SerializationTraits<hearwire::v1::ClassifyRequest, void>
    : public hearwire::GuardedTraits<hearwire::v1::ClassifyRequest> {};
template <>
class SerializationTraits<hearwire::v1::StreamEmbeddingsRequest, void>
    : public hearwire::GuardedTraits<hearwire::v1::StreamEmbeddingsRequest> {};

}  // namespace grpc

#endif  // HEARWIRE_PROTO_GUARDED_MESSAGES_H_
