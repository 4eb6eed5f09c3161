// Between the client's structs and the messages on the wire.

#ifndef HEARWIRE_CLIENT_MESSAGES_H_
#define HEARWIRE_CLIENT_MESSAGES_H_

#include "absl/status/statusor.h"
#include "client/client.h"
#include "client/stream.h"
#include "hearwire/admin/v1/admin.pb.h"
#include "hearwire/v1/embedding.pb.h"

namespace hearwire::client {

// Request: GetSceneEmbeddingsRequest or GetTimestampEmbeddingsRequest. The clips' bytes are moved, not copied.
template <typename Request>
Request EncodeEmbedRequest(EmbedRequest request);
v1::GetTagsRequest EncodeTagRequest(TagRequest request);

// All but the request id, which is not in the message. clips: how many the request had. INTERNAL: the reply answers
// another number of clips, or contradicts itself, for example by a matrix whose bytes are not rows x columns x their
// size.
absl::StatusOr<SceneEmbeddings> DecodeSceneEmbeddings(const v1::GetSceneEmbeddingsResponse& reply, int clips);
absl::StatusOr<TimestampEmbeddings> DecodeTimestampEmbeddings(const v1::GetTimestampEmbeddingsResponse& reply,
                                                              int clips);
absl::StatusOr<Tags> DecodeTags(const v1::GetTagsResponse& reply, int clips);
std::vector<ConfigInfo> DecodeConfigs(const v1::ListConfigsResponse& reply);
ServerLimits DecodeLimits(const v1::ListConfigsResponse& reply);
ReloadChanges DecodeReload(const admin::v1::ReloadResponse& reply);

// Of options that were checked. first_sample is the caller's to set.
v1::StreamStart EncodeStreamStart(const StreamOptions& options);
// INTERNAL: the message is empty or contradicts itself.
absl::StatusOr<StreamEvent> DecodeStreamEvent(const v1::StreamEmbeddingsResponse& message);

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_MESSAGES_H_
