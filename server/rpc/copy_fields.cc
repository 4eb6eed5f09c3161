#include "server/rpc/copy_fields.h"

#include "server/rpc/wire_type.h"

namespace hearwire {

using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

bool ReadBytes(CodedInputStream* input, std::string* bytes) {
  uint32_t size;
  return input->ReadVarint32(&size) && size <= INT32_MAX && input->ReadString(bytes, static_cast<int>(size));
}

void WriteBytes(uint32_t tag, const std::string& bytes, CodedOutputStream* output) {
  output->WriteTag(tag);
  output->WriteVarint32(static_cast<uint32_t>(bytes.size()));
  output->WriteString(bytes);
}

bool CopyField(uint32_t tag, CodedInputStream* input, CodedOutputStream* output) {
  if (tag >> kWireTypeBits == 0) return false;
  switch (WireTypeOf(tag)) {
    case WireType::kVarint: {
      uint64_t value;
      if (!input->ReadVarint64(&value)) return false;
      output->WriteTag(tag);
      output->WriteVarint64(value);
      return true;
    }
    case WireType::kFixed64: {
      uint64_t value;
      if (!input->ReadLittleEndian64(&value)) return false;
      output->WriteTag(tag);
      output->WriteLittleEndian64(value);
      return true;
    }
    case WireType::kFixed32: {
      uint32_t value;
      if (!input->ReadLittleEndian32(&value)) return false;
      output->WriteTag(tag);
      output->WriteLittleEndian32(value);
      return true;
    }
    case WireType::kBytes: {
      std::string bytes;
      if (!ReadBytes(input, &bytes)) return false;
      WriteBytes(tag, bytes, output);
      return true;
    }
    case WireType::kGroup: {
      const uint32_t end = EndOfGroup(tag);
      output->WriteTag(tag);
      if (!input->IncrementRecursionDepth()) return false;
      for (uint32_t inner = input->ReadTag(); inner != end; inner = input->ReadTag()) {
        if (!CopyField(inner, input, output)) return false;
      }
      input->DecrementRecursionDepth();
      output->WriteTag(end);
      return true;
    }
    default:
      return false;
  }
}

bool SkipField(uint32_t tag, CodedInputStream* input) {
  if (tag >> kWireTypeBits == 0) return false;
  switch (WireTypeOf(tag)) {
    case WireType::kVarint: {
      uint64_t value;
      return input->ReadVarint64(&value);
    }
    case WireType::kFixed64:
      return input->Skip(sizeof(uint64_t));
    case WireType::kFixed32:
      return input->Skip(sizeof(uint32_t));
    case WireType::kBytes: {
      uint32_t size;
      return input->ReadVarint32(&size) && size <= INT32_MAX && input->Skip(static_cast<int>(size));
    }
    case WireType::kGroup: {
      const uint32_t end = EndOfGroup(tag);
      if (!input->IncrementRecursionDepth()) return false;
      for (uint32_t inner = input->ReadTag(); inner != end; inner = input->ReadTag()) {
        if (!SkipField(inner, input)) return false;
      }
      input->DecrementRecursionDepth();
      return true;
    }
    default:
      return false;
  }
}

}  // namespace hearwire
