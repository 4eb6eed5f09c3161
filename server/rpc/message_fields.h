// How many fields bytes have, before anything is made of them: protobuf makes objects of a hundred bytes and more of
// fields of two, so that 60 MB of empty clips would take 4 GB.

#ifndef HEARWIRE_SERVER_RPC_MESSAGE_FIELDS_H_
#define HEARWIRE_SERVER_RPC_MESSAGE_FIELDS_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <cstdint>

namespace hearwire {

struct MessageFields {
  bool is_message = false;    // False: the bytes are no message; the rest is as far as they were looked at.
  bool has_too_many = false;  // More than were to be counted.
  bool has_unknown = false;   // Of which protobuf would keep all bytes.
};

// Of a message of that type and of the messages in it, unknown groups too; at most `most` are looked at. Takes no
// memory but a stack of at most a hundred messages within one another, which is as many as protobuf reads.
MessageFields CountFields(google::protobuf::io::ZeroCopyInputStream* input, const google::protobuf::Descriptor& type,
                          int64_t most);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_MESSAGE_FIELDS_H_
