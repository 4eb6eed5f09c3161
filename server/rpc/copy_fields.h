// For reading a message in parts: what is large is taken out of its fields, the rest is copied for protobuf to read.

#ifndef HEARWIRE_SERVER_RPC_COPY_FIELDS_H_
#define HEARWIRE_SERVER_RPC_COPY_FIELDS_H_

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstdint>
#include <string>

namespace hearwire {

// All of these: false where the input is no message.

// The bytes of a field whose tag has been read. Their room is set aside at once: the stream knows by then where the
// field's message ends.
bool ReadBytes(google::protobuf::io::CodedInputStream* input, std::string* bytes);

void WriteBytes(uint32_t tag, const std::string& bytes, google::protobuf::io::CodedOutputStream* output);

// Copies a field whose tag has been read, whatever it is.
bool CopyField(uint32_t tag, google::protobuf::io::CodedInputStream* input,
               google::protobuf::io::CodedOutputStream* output);

bool SkipField(uint32_t tag, google::protobuf::io::CodedInputStream* input);

// All fields up to the end of the message that `input` is in: `take` is told each one's tag, and reads the rest of it.
template <typename Take>
bool TakeFields(google::protobuf::io::CodedInputStream* input, Take take) {
  while (const uint32_t tag = input->ReadTag()) {
    if (!take(tag)) return false;
  }
  return input->ConsumedEntireMessage();
}

// A message in a field whose tag has been read: `take` reads all of its fields.
template <typename Take>
bool TakeMessage(google::protobuf::io::CodedInputStream* input, Take take) {
  uint32_t size;
  if (!input->ReadVarint32(&size) || size > INT32_MAX) return false;
  const auto limit = input->PushLimit(static_cast<int>(size));
  // A limit beyond that of the message around it would not hold: what is claimed is not there.
  if (input->BytesUntilLimit() != static_cast<int>(size) || !take()) return false;
  if (input->BytesUntilLimit() != 0) return false;  // The stream ended before.
  input->PopLimit(limit);
  return true;
}

// Likewise: `lift` reads it into what is written in its place.
template <typename Lift>
bool LiftMessage(uint32_t tag, google::protobuf::io::CodedInputStream* input,
                 google::protobuf::io::CodedOutputStream* output, Lift lift) {
  std::string message;
  const bool whole = TakeMessage(input, [&] {
    google::protobuf::io::StringOutputStream stream(&message);
    google::protobuf::io::CodedOutputStream lifted(&stream);
    return lift(&lifted);
  });
  if (whole) WriteBytes(tag, message, output);
  return whole;
}

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_COPY_FIELDS_H_
