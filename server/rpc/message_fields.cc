#include "server/rpc/message_fields.h"

#include <google/protobuf/io/coded_stream.h>

#include "server/rpc/copy_fields.h"
#include "server/rpc/wire_type.h"

namespace hearwire {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::io::CodedInputStream;

class FieldCounter {
 public:
  FieldCounter(CodedInputStream* input, int64_t most) : input_(*input), left_(most) {}

  // Up to the end of the message that the input is in, or of the group whose end has this tag; 0: it is no group. type:
  // null where nothing is known of it.
  bool Count(const Descriptor* type, uint32_t group_end) {
    while (const uint32_t tag = input_.ReadTag()) {
      if (tag == group_end) return true;
      if (--left_ < 0) {
        found.has_too_many = true;
        return false;
      }
      if (!CountField(type, tag)) return false;
    }
    return group_end == 0 && input_.ConsumedEntireMessage();
  }

  MessageFields found;

 private:
  bool CountField(const Descriptor* type, uint32_t tag) {
    if (tag >> kWireTypeBits == 0) return false;
    const FieldDescriptor* field =
        type == nullptr ? nullptr : type->FindFieldByNumber(static_cast<int>(tag >> kWireTypeBits));
    if (field == nullptr) found.has_unknown = true;
    switch (WireTypeOf(tag)) {
      case WireType::kBytes:
        return CountBytes(field);
      case WireType::kGroup: {
        found.has_unknown = true;
        if (!input_.IncrementRecursionDepth()) return false;
        const bool whole = Count(nullptr, EndOfGroup(tag));
        input_.DecrementRecursionDepth();
        return whole;
      }
      default:
        return SkipField(tag, &input_);
    }
  }

  bool CountBytes(const FieldDescriptor* field) {
    uint32_t size;
    if (!input_.ReadVarint32(&size) || size > INT32_MAX) return false;
    if (field == nullptr || field->type() != FieldDescriptor::TYPE_MESSAGE) return input_.Skip(static_cast<int>(size));
    if (!input_.IncrementRecursionDepth()) return false;
    const CodedInputStream::Limit limit = input_.PushLimit(static_cast<int>(size));
    // A limit beyond that of the message around it would not hold: what is claimed is not there.
    if (input_.BytesUntilLimit() != static_cast<int>(size)) return false;
    if (!Count(field->message_type(), 0) || input_.BytesUntilLimit() != 0) return false;
    input_.PopLimit(limit);
    input_.DecrementRecursionDepth();
    return true;
  }

  CodedInputStream& input_;
  int64_t left_;
};

}  // namespace

MessageFields CountFields(google::protobuf::io::ZeroCopyInputStream* stream, const Descriptor& type, int64_t most) {
  CodedInputStream input(stream);
  FieldCounter counter(&input, most);
  counter.found.is_message = counter.Count(&type, 0);
  return counter.found;
}

}  // namespace hearwire
