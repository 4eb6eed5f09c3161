// What several replies say alike: spaces, timings, configs.

#ifndef HEARWIRE_SERVER_RPC_WRITE_REPLY_H_
#define HEARWIRE_SERVER_RPC_WRITE_REPLY_H_

#include <cstdint>
#include <string_view>

#include "absl/time/time.h"
#include "hearwire/v1/embedding.pb.h"
#include "models/configs/config.h"
#include "server/pipeline/call.h"
#include "server/pipeline/head_catalog.h"

namespace hearwire {

// Between two rows of timestamps.
inline constexpr double kTimestampHopMs = kTimestampHopSamples * 1000.0 / kSampleRateHz;

// config: empty for a reply of GetTags.
void WriteSpace(std::string_view config, const LoadedNetwork& network, std::string_view precision,
                v1::EmbeddingSpace* space);
void WriteTimings(absl::Duration total, const CallTimes& times, v1::Timings* timings);

// config's attributes; loaded: null when its network is not.
void WriteConfig(const Config& config, const LoadedNetwork* loaded, bool is_default, std::string_view precision,
                 v1::Config* message);

// What ListHeads says of a head. Its space is the one whose embeddings it reads here.
void WriteHead(const LoadedHead& loaded, std::string_view precision, v1::Head* message);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_WRITE_REPLY_H_
