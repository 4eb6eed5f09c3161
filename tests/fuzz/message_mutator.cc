#include "tests/fuzz/message_mutator.h"

#include <algorithm>
#include <cstdint>
#include <string>

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace hearwire {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void MutateString(std::string* text, size_t max_bytes) {
  size_t size = std::min(text->size(), max_bytes);
  text->resize(max_bytes);
  size = LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(text->data()), size, max_bytes);
  text->resize(size);
}

// Of 64 bits: about as often small as near a limit or anything.
uint64_t AnyNumber(std::minstd_rand* random) {
  const uint64_t bits = (static_cast<uint64_t>((*random)()) << 32) ^ (*random)();
  return bits >> ((*random)() % 64);
}

void MutateSingle(Message* message, const FieldDescriptor* field, size_t max_bytes, std::minstd_rand* random) {
  const Reflection& fields = *message->GetReflection();
  if ((*random)() % 16 == 0) {
    fields.ClearField(message, field);
    return;
  }
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      fields.SetUInt32(message, field, static_cast<uint32_t>(AnyNumber(random)));
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      fields.SetUInt64(message, field, AnyNumber(random));
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      fields.SetBool(message, field, !fields.GetBool(*message, field));
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      fields.SetEnumValue(message, field, static_cast<int>((*random)() % 4));
      break;
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string text = fields.GetString(*message, field);
      MutateString(&text, max_bytes);
      fields.SetString(message, field, text);
      break;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      MutateMessage(fields.MutableMessage(message, field), max_bytes, random);
      break;
    default:
      break;  // Requests have no others.
  }
}

void MutateRepeated(Message* message, const FieldDescriptor* field, size_t max_bytes, std::minstd_rand* random) {
  const Reflection& fields = *message->GetReflection();
  const bool are_messages = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  if (!are_messages && field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) return;  // Requests have no others.
  const int count = fields.FieldSize(*message, field);
  const int place = count == 0 ? 0 : static_cast<int>((*random)() % count);
  switch ((*random)() % 8) {
    case 0:  // One more, or one twice.
      if (are_messages) {
        Message* added = fields.AddMessage(message, field);
        if (count > 0) added->CopyFrom(fields.GetRepeatedMessage(*message, field, place));
      } else {
        fields.AddString(message, field, count > 0 ? fields.GetRepeatedString(*message, field, place) : "");
      }
      return;
    case 1:
      if (count > 0) fields.RemoveLast(message, field);
      return;
    case 2:
      if (count > 0) fields.SwapElements(message, field, 0, place);
      return;
    default:
      break;
  }
  if (count == 0) return;
  if (are_messages) {
    MutateMessage(fields.MutableRepeatedMessage(message, field, place), max_bytes, random);
    return;
  }
  std::string text = fields.GetRepeatedString(*message, field, place);
  MutateString(&text, max_bytes);
  fields.SetRepeatedString(message, field, place, text);
}

}  // namespace

void MutateMessage(Message* message, size_t max_bytes, std::minstd_rand* random) {
  const google::protobuf::Descriptor& type = *message->GetDescriptor();
  if (type.field_count() == 0) return;
  const FieldDescriptor* field = type.field(static_cast<int>((*random)() % type.field_count()));
  (field->is_repeated() ? MutateRepeated : MutateSingle)(message, field, max_bytes, random);
}

}  // namespace hearwire
