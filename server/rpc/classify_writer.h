// The reply of Classify: what heads make of a call's rows.

#ifndef HEARWIRE_SERVER_RPC_CLASSIFY_WRITER_H_
#define HEARWIRE_SERVER_RPC_CLASSIFY_WRITER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "hearwire/v1/embedding.pb.h"
#include "server/pipeline/lane_plan.h"
#include "server/rpc/reply_writer.h"

namespace hearwire {

// heads: of the plan, in the order of the answers. top_k: labels that an answer carries; 0: all. clips: in the request.
std::unique_ptr<ReplyWriter> NewClassifyWriter(std::vector<PlannedHead> heads, const LanePlan& plan, uint32_t top_k,
                                               int clips, v1::ClassifyResponse* reply);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_CLASSIFY_WRITER_H_
