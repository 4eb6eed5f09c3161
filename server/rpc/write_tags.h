// A network's tags of a clip.

#ifndef HEARWIRE_SERVER_RPC_WRITE_TAGS_H_
#define HEARWIRE_SERVER_RPC_WRITE_TAGS_H_

#include <cstdint>

#include "absl/types/span.h"
#include "hearwire/v1/embedding.pb.h"
#include "models/configs/config.h"

namespace hearwire {

// An upper bound of what a tag of the network takes in a message, and of what it takes in memory there.
int64_t MostTagBytes(const NetworkInfo& network);
int64_t MostTagBytesHeld(const NetworkInfo& network);

// How many tags are answered to one who asks for so many: there are no more than classes.
int TagCount(uint32_t asked, const NetworkInfo& network);

// The top_k, 1 to class_count, most probable of the network's classes, the lower index first among equals.
// logits: [class_count], whose sigmoids are the probabilities.
void WriteTags(absl::Span<const float> logits, int top_k, const NetworkInfo& network,
               google::protobuf::RepeatedPtrField<v1::Tag>* tags);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_WRITE_TAGS_H_
