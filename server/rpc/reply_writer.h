// Writes a call's rows into its reply, as they come.

#ifndef HEARWIRE_SERVER_RPC_REPLY_WRITER_H_
#define HEARWIRE_SERVER_RPC_REPLY_WRITER_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "hearwire/v1/embedding.pb.h"
#include "server/pipeline/call.h"
#include "server/pipeline/network_catalog.h"
#include "server/rpc/read_request.h"

namespace hearwire {

// What EmbeddingSpace says. config: empty for tags. The view outlives the writers.
struct ReplySpace {
  std::string config;
  std::shared_ptr<const LoadedNetwork> network;
  std::string_view precision;
};

// One for each call, over its reply message, which outlives it. Not thread-safe.
class ReplyWriter {
 public:
  virtual ~ReplyWriter() = default;

  // An upper bound, for CallRequest::reply.
  virtual ReplySize size() const = 0;

  // As ReplySink::OnRows. INVALID_ARGUMENT, for the element type, when a value is beyond what float16 holds (65504): it
  // is not sent as infinity, nor cut off; the message names the clip.
  virtual std::optional<RequestFault> WriteRows(const WindowRows& rows) = 0;

  // Once, when all rows have been written: the space, and where the time went.
  virtual void WriteEnd(absl::Duration total, const CallTimes& times) = 0;
};

// row_size: values of an embedding. clips: in the request. top_k: 1 to the network's classes; the most probable
// are written, the lower index first among equals.
std::unique_ptr<ReplyWriter> NewReplyWriter(const ReplySpace& space, int row_size, int clips, v1::ElementType type,
                                            v1::GetSceneEmbeddingsResponse* reply);
std::unique_ptr<ReplyWriter> NewReplyWriter(const ReplySpace& space, int row_size, int clips, v1::ElementType type,
                                            v1::GetTimestampEmbeddingsResponse* reply);
std::unique_ptr<ReplyWriter> NewTagsWriter(const ReplySpace& space, int clips, int top_k, v1::GetTagsResponse* reply);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_REPLY_WRITER_H_
