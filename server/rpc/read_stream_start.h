// The first message of a stream, with everything checked that needs no audio.

#ifndef HEARWIRE_SERVER_RPC_READ_STREAM_START_H_
#define HEARWIRE_SERVER_RPC_READ_STREAM_START_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hearwire/v1/embedding.pb.h"
#include "server/audio/decode_audio.h"
#include "server/pipeline/head_catalog.h"
#include "server/pipeline/lane_plan.h"
#include "server/pipeline/network_catalog.h"
#include "server/rpc/read_request.h"

namespace hearwire {

// What a stream is to answer, and where it lies in the rows of which lane.
struct StreamPlan {
  ServedConfig served;
  v1::ElementType element_type = v1::ELEMENT_TYPE_FLOAT32;
  PcmAudio format;
  int64_t first_sample = 0;

  // At most one lane of timestamps and one of scenes.
  LanePlan lanes;
  // What was asked for; nothing: it was not.
  std::optional<RowSlice> timestamps;
  std::optional<RowSlice> scenes;
  std::optional<RowSlice> tags;  // Their logits.
  int top_tags = 0;              // Most probable ones that are answered.
  std::vector<PlannedHead> heads;
  uint32_t top_labels = 0;  // Of a head's answer; 0: all.
};

// INVALID_ARGUMENT: nothing is asked for, no such element type, a number out of range, a head of another network or
// length of window than the config's, or no config where heads of several are named and embeddings are asked for.
// NOT_FOUND, FAILED_PRECONDITION: as ReadConfig and ReadHeads. The format is looked at when the stream is started.
std::variant<StreamPlan, RequestFault> ReadStreamStart(const v1::StreamStart& start, std::string_view default_config,
                                                       const NetworkCatalog& networks, const HeadCatalog& heads);

// "start.sample_rate_hertz", "samples": the part of a stream that an error is about.
std::string StreamField(AudioField field);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_READ_STREAM_START_H_
