// The first message of a stream, with everything checked that needs no audio.

#ifndef HEARWIRE_SERVER_RPC_READ_STREAM_START_H_
#define HEARWIRE_SERVER_RPC_READ_STREAM_START_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hearwire/v1/embedding.pb.h"
#include "server/audio/decode_audio.h"
#include "server/pipeline/call.h"
#include "server/pipeline/network_catalog.h"
#include "server/rpc/read_request.h"

namespace hearwire {

// What a stream is to answer, and from which lane.
struct StreamPlan {
  ServedConfig served;
  v1::ElementType element_type = v1::ELEMENT_TYPE_FLOAT32;
  bool timestamps = false;
  bool scenes = false;
  int tags = 0;  // The most probable ones; 0: none.
  PcmAudio format;
  int64_t first_sample = 0;

  // kTimestamps: the config's row. kScene: the config's where scenes are asked for, then the logits where tags are.
  std::vector<LaneRequest> lanes;
};

// INVALID_ARGUMENT: nothing is asked for, no such element type, a number out of range; NOT_FOUND, FAILED_PRECONDITION
// as ReadConfig. The format is looked at when the stream is started.
std::variant<StreamPlan, RequestFault> ReadStreamStart(const v1::StreamStart& start, std::string_view default_config,
                                                       const NetworkCatalog& networks);

// "start.sample_rate_hertz", "samples": the part of a stream that an error is about.
std::string StreamField(AudioField field);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_READ_STREAM_START_H_
