#include "server/rpc/read_message.h"

#include <google/protobuf/io/zero_copy_stream.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/pipeline/call_errors.h"
#include "server/rpc/lift_audio.h"
#include "server/rpc/message_fields.h"
#include "server/rpc/read_parts.h"

namespace hearwire {
namespace {

// Below it, copies cost less than reading in two parts.
constexpr size_t kLargeMessage = 1 << 20;

constexpr int kSliceBytes = 1 << 20;  // Of replies.

// The bytes of a message; each slice is given back when the next one is asked for.
class ConsumedSlices final : public google::protobuf::io::ZeroCopyInputStream {
 public:
  explicit ConsumedSlices(std::vector<grpc::Slice> slices) : slices_(std::move(slices)) {}

  bool Next(const void** data, int* size) override {
    if (backed_up_ == 0) {
      if (next_ > 0) slices_[next_ - 1] = grpc::Slice();
      if (next_ == slices_.size()) return false;
      backed_up_ = static_cast<int>(slices_[next_++].size());
    }
    const grpc::Slice& slice = slices_[next_ - 1];
    *data = slice.end() - backed_up_;
    *size = backed_up_;
    taken_ += std::exchange(backed_up_, 0);
    return true;
  }
  void BackUp(int count) override {
    backed_up_ = count;
    taken_ -= count;
  }
  bool Skip(int count) override {
    const void* data;
    int size;
    while (count > 0) {
      if (!Next(&data, &size)) return false;
      if (size > count) BackUp(size - count);
      count -= std::min(size, count);
    }
    return true;
  }
  int64_t ByteCount() const override { return taken_; }

 private:
  std::vector<grpc::Slice> slices_;
  size_t next_ = 0;    // Slices that were asked for.
  int backed_up_ = 0;  // At the end of the last of them.
  int64_t taken_ = 0;
};

bool ParseAtOnce(grpc::ByteBuffer* bytes, google::protobuf::Message* message) {
  grpc::ProtoBufferReader reader(bytes);
  return reader.status().ok() && message->ParseFromZeroCopyStream(&reader);
}

// By a stream that gives each slice back.
template <typename Parse>
bool ParseSlices(grpc::ByteBuffer* bytes, Parse parse) {
  std::vector<grpc::Slice> slices;
  if (!bytes->Dump(&slices).ok()) return false;
  bytes->Clear();
  ConsumedSlices stream(std::move(slices));
  return parse(&stream);
}

MessageFields FieldsOf(grpc::ByteBuffer* bytes, const google::protobuf::Descriptor& type, int64_t most) {
  grpc::ProtoBufferReader reader(bytes);
  return reader.status().ok() ? CountFields(&reader, type, most) : MessageFields();
}

template <typename Parse>
std::optional<RequestFault> Read(grpc::ByteBuffer* bytes, int64_t most_fields, google::protobuf::Message* message,
                                 Parse parse) {
  const auto has_room = has_room_for_message.load(std::memory_order_relaxed);
  if (has_room != nullptr && !has_room(static_cast<int64_t>(bytes->Length()))) {
    bytes->Clear();
    return RequestFault{OutOfMemory(), ""};
  }
  const MessageFields fields = FieldsOf(bytes, *message->GetDescriptor(), most_fields);
  const bool parsed = fields.is_message && parse();
  bytes->Clear();
  if (fields.has_too_many) {
    return InvalidRequest("", absl::StrCat("the message has more than ", most_fields,
                                           " fields, the most that this server reads: split it"));
  }
  if (!parsed) return InvalidRequest("", absl::StrCat("the bytes are no message ", message->GetTypeName()));
  if (fields.has_unknown) message->DiscardUnknownFields();
  return std::nullopt;
}

template <typename Request>
std::optional<RequestFault> ReadWithAudio(grpc::ByteBuffer* bytes, int64_t most_fields, Request* message) {
  return Read(bytes, most_fields, message, [&] {
    if (bytes->Length() < kLargeMessage) return ParseAtOnce(bytes, message);
    return ParseSlices(bytes, [&](ConsumedSlices* stream) { return ParseInParts(stream, message); });
  });
}

}  // namespace

std::optional<RequestFault> ReadMessage(grpc::ByteBuffer* bytes, int64_t most_fields,
                                        google::protobuf::Message* message) {
  return Read(bytes, most_fields, message, [&] { return ParseAtOnce(bytes, message); });
}

std::optional<RequestFault> ReadMessage(grpc::ByteBuffer* bytes, int64_t most_fields,
                                        v1::GetSceneEmbeddingsRequest* message) {
  return ReadWithAudio(bytes, most_fields, message);
}
std::optional<RequestFault> ReadMessage(grpc::ByteBuffer* bytes, int64_t most_fields,
                                        v1::GetTimestampEmbeddingsRequest* message) {
  return ReadWithAudio(bytes, most_fields, message);
}
std::optional<RequestFault> ReadMessage(grpc::ByteBuffer* bytes, int64_t most_fields, v1::GetTagsRequest* message) {
  return ReadWithAudio(bytes, most_fields, message);
}
std::optional<RequestFault> ReadMessage(grpc::ByteBuffer* bytes, int64_t most_fields, v1::ClassifyRequest* message) {
  return ReadWithAudio(bytes, most_fields, message);
}

std::optional<RequestFault> ReadSmallMessage(grpc::ByteBuffer* bytes, google::protobuf::Message* message) {
  const auto length = static_cast<int64_t>(bytes->Length());
  if (length <= kSmallMessageBytes) return ReadMessage(bytes, kSmallMessageBytes, message);
  bytes->Clear();
  return InvalidRequest("", absl::StrCat("the message has ", length, " bytes; a ", message->GetDescriptor()->name(),
                                         " has at most ", kSmallMessageBytes));
}

std::optional<RequestFault> ReadParts(grpc::ByteBuffer* bytes, int64_t most_fields, google::protobuf::Message* message,
                                      const ParseStream& parse) {
  return Read(bytes, most_fields, message, [&] { return ParseSlices(bytes, parse); });
}

void WriteMessage(const google::protobuf::Message& message, grpc::ByteBuffer* bytes) {
  grpc::ProtoBufferWriter writer(bytes, kSliceBytes, static_cast<int>(message.ByteSizeLong()));
  message.SerializeToZeroCopyStream(&writer);  // Fails beyond 2 GB: no such reply is begun.
}

}  // namespace hearwire
