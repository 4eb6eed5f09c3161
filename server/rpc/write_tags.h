// AudioSet's tags of a clip.

#ifndef HEARWIRE_SERVER_RPC_WRITE_TAGS_H_
#define HEARWIRE_SERVER_RPC_WRITE_TAGS_H_

#include <cstdint>

#include "absl/types/span.h"
#include "hearwire/v1/embedding.pb.h"

namespace hearwire {

// An upper bound of what a tag takes in a message.
int64_t MostTagBytes();

// The top_k, 1 to kClassCount, most probable classes, the lower index first among equals. logits: [kClassCount], whose
// sigmoids are the probabilities.
void WriteTags(absl::Span<const float> logits, int top_k, google::protobuf::RepeatedPtrField<v1::Tag>* tags);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_WRITE_TAGS_H_
