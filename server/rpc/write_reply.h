// From rows to messages, and how large these get.

#ifndef HEARWIRE_SERVER_RPC_WRITE_REPLY_H_
#define HEARWIRE_SERVER_RPC_WRITE_REPLY_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "hearwire/v1/embedding.pb.h"
#include "models/configs/config.h"
#include "server/pipeline/call.h"

namespace hearwire {

// Upper bounds, for CallRequest::reply. row_size: values of an embedding; top_k: 1 to kClassCount.
ReplySize SceneReplySize(int row_size, v1::ElementType element_type);
ReplySize TimestampReplySize(int row_size, v1::ElementType element_type);
ReplySize TagsReplySize(int top_k);

// Write a call's rows. INVALID_ARGUMENT, for the element type, when a value is beyond what float16 holds (65504): it is
// not sent as infinity, nor cut off; the message names the clip.
std::optional<CallError> WriteSceneEmbeddings(const CallResult& result, v1::ElementType element_type,
                                              v1::GetSceneEmbeddingsResponse* response);
std::optional<CallError> WriteTimestampEmbeddings(const CallResult& result, v1::ElementType element_type,
                                                  v1::GetTimestampEmbeddingsResponse* response);
// The top_k most probable of each clip's classes; the lower index first among equals.
void WriteTags(const CallResult& result, int top_k, v1::GetTagsResponse* response);

// config: empty for a reply of GetTags.
void WriteSpace(std::string_view config, const LoadedNetwork& network, std::string_view precision,
                v1::EmbeddingSpace* space);
void WriteTimings(absl::Duration total, const CallTimes& times, v1::Timings* timings);

// config's attributes; loaded: null when its network is not.
void WriteConfig(const Config& config, const LoadedNetwork* loaded, bool is_default, std::string_view precision,
                 v1::Config* message);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_WRITE_REPLY_H_
