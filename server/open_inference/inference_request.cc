#include "server/open_inference/inference_request.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "server/rpc/copy_fields.h"
#include "server/rpc/read_parts.h"
#include "server/rpc/wire_type.h"

namespace hearwire {
namespace {

using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;
using inference::InferTensorContents;
using inference::ModelInferRequest;
using Input = ModelInferRequest::InferInputTensor;

constexpr uint32_t kInputs = BytesTag(ModelInferRequest::kInputsFieldNumber);
constexpr uint32_t kRaw = BytesTag(ModelInferRequest::kRawInputContentsFieldNumber);
constexpr uint32_t kContents = BytesTag(Input::kContentsFieldNumber);
constexpr uint32_t kElements = BytesTag(InferTensorContents::kBytesContentsFieldNumber);

// Of a repeated field of numbers, which comes in packs or one by one: `take` reads one number.
template <typename Take>
bool TakeNumbers(uint32_t tag, CodedInputStream* input, Take take) {
  if (WireTypeOf(tag) != WireType::kBytes) return take();
  return TakeMessage(input, [&] {
    while (input->BytesUntilLimit() > 0) {
      if (!take()) return false;
    }
    return true;
  });
}

bool IsNumbers(uint32_t tag, int field, WireType alone) {
  return tag == BytesTag(field) ||
         tag == ((static_cast<uint32_t>(field) << kWireTypeBits) | static_cast<uint32_t>(alone));
}

bool LiftFloats(uint32_t tag, CodedInputStream* input, std::string* floats) {
  // Packed they are the bytes that raw contents have.
  if (tag == BytesTag(InferTensorContents::kFp32ContentsFieldNumber) && floats->empty()) {
    return ReadBytes(input, floats) && floats->size() % sizeof(float) == 0;
  }
  return TakeNumbers(tag, input, [&] {
    char value[sizeof(float)];
    if (!input->ReadRaw(value, sizeof(value))) return false;
    floats->append(value, sizeof(value));
    return true;
  });
}

bool LiftInt16(uint32_t tag, CodedInputStream* input, TensorContents* contents) {
  std::string& values = contents->int16;
  return TakeNumbers(tag, input, [&] {
    // As many as there can be: it takes no memory before it is written, and nothing is copied as it grows.
    const int left = input->BytesUntilLimit();
    if (values.empty() && left > 0) values.reserve(static_cast<size_t>(left) * sizeof(int16_t));
    uint64_t bits;
    if (!input->ReadVarint64(&bits)) return false;
    const auto value = static_cast<int32_t>(bits);
    const auto cut = static_cast<int16_t>(value);
    if (cut != value && !contents->beyond_int16) {
      contents->beyond_int16 = static_cast<int64_t>(values.size() / sizeof(cut));
    }
    values.append(reinterpret_cast<const char*>(&cut), sizeof(cut));
    return true;
  });
}

bool LiftContents(CodedInputStream* input, TensorContents* contents) {
  return TakeFields(input, [&](uint32_t tag) {
    if (IsNumbers(tag, InferTensorContents::kFp32ContentsFieldNumber, WireType::kFixed32)) {
      return LiftFloats(tag, input, &contents->fp32);
    }
    if (IsNumbers(tag, InferTensorContents::kIntContentsFieldNumber, WireType::kVarint)) {
      return LiftInt16(tag, input, contents);
    }
    if (tag == kElements) return ReadBytes(input, &contents->elements.emplace_back());
    contents->has_other = true;
    return SkipField(tag, input);
  });
}

bool LiftInput(CodedInputStream* input, CodedOutputStream* output, LiftedInput* lifted) {
  return TakeFields(input, [&](uint32_t tag) {
    if (tag == kContents) return TakeMessage(input, [&] { return LiftContents(input, &lifted->contents); });
    if (!IsNumbers(tag, Input::kShapeFieldNumber, WireType::kVarint)) return CopyField(tag, input, output);
    return TakeNumbers(tag, input, [&] {
      uint64_t size;
      if (!input->ReadVarint64(&size)) return false;
      if (lifted->shape.size() <= kMostDimensions) lifted->shape.push_back(static_cast<int64_t>(size));
      return true;
    });
  });
}

bool Lift(CodedInputStream* input, CodedOutputStream* output, InferenceRequest* request) {
  return TakeFields(input, [&](uint32_t tag) {
    if (tag == kRaw) return ReadBytes(input, &request->raw.emplace_back());
    if (tag != kInputs) return CopyField(tag, input, output);
    LiftedInput* const lifted = &request->inputs.emplace_back();
    return LiftMessage(tag, input, output,
                       [&](CodedOutputStream* message) { return LiftInput(input, message, lifted); });
  });
}

}  // namespace

int64_t InferenceRequest::held_bytes() const {
  size_t bytes = 0;
  for (const std::string& tensor : raw) bytes += tensor.size();
  for (const LiftedInput& input : inputs) {
    bytes += input.contents.fp32.size() + input.contents.int16.size();
    for (const std::string& element : input.contents.elements) bytes += element.size();
  }
  return static_cast<int64_t>(bytes);
}

bool ParseInference(google::protobuf::io::ZeroCopyInputStream* stream, InferenceRequest* request) {
  std::string rest;
  {
    CodedInputStream input(stream);
    StringOutputStream message(&rest);
    CodedOutputStream output(&message);
    if (!Lift(&input, &output, request)) return false;
  }
  return request->message.ParseFromString(rest);
}

std::optional<RequestFault> ReadMessage(grpc::ByteBuffer* bytes, int64_t most_fields, InferenceRequest* request) {
  return ReadParts(bytes, most_fields, &request->message, [request](google::protobuf::io::ZeroCopyInputStream* stream) {
    return ParseInference(stream, request);
  });
}

}  // namespace hearwire
