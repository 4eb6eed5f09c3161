// From messages to what the pipeline takes, with everything checked that needs no decoding.

#ifndef HEARWIRE_SERVER_RPC_READ_REQUEST_H_
#define HEARWIRE_SERVER_RPC_READ_REQUEST_H_

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hearwire/v1/embedding.pb.h"
#include "models/configs/config.h"
#include "server/pipeline/call.h"
#include "server/pipeline/head_catalog.h"
#include "server/pipeline/network_catalog.h"

namespace hearwire {

// What is wrong with a request, and the path of the field at fault ("clips[3].pcm.encoding"); empty: none.
struct RequestFault {
  CallError error;
  std::string field;
};

// INVALID_ARGUMENT, for a field other than a clip unless the reason says so.
RequestFault InvalidRequest(std::string field, std::string_view message,
                            std::string_view reason = reason::kInvalidRequest);

// A network that is loaded, and what a call reads out of it.
struct ServedConfig {
  std::shared_ptr<const Config> config = nullptr;
  std::shared_ptr<const LoadedNetwork> network = nullptr;
};

// The config called `name`. NOT_FOUND, with the nearest names; FAILED_PRECONDITION when its network is not loaded: the
// message names the file and the command that gets it.
std::variant<ServedConfig, RequestFault> ReadConfig(std::string_view name, const NetworkCatalog& networks);

// Likewise for a network's name. The config is one of the network's.
std::variant<ServedConfig, RequestFault> ReadNetwork(std::string_view name, const NetworkCatalog& networks);

// FLOAT32 when it is not said. INVALID_ARGUMENT: a number that is no ElementType.
std::variant<v1::ElementType, RequestFault> ReadElementType(v1::ElementType asked);

// The heads of these names in their order; of no names, all that are loaded, by name. FAILED_PRECONDITION when none is
// loaded: the message says how to load some. NOT_FOUND, with the nearest names; INVALID_ARGUMENT when one is there
// twice.
std::variant<std::vector<std::shared_ptr<const LoadedHead>>, RequestFault> ReadHeads(
    const google::protobuf::RepeatedPtrField<std::string>& names, const HeadCatalog& heads);

// The format that a Pcm or a StreamStart tells; without samples. Nothing of it is checked.
template <typename Message>
PcmAudio PcmFormatOf(const Message& message) {
  return {.encoding = static_cast<PcmAudio::Encoding>(message.encoding()),
          .sample_rate_hz = message.sample_rate_hertz(),
          .channel_count = message.channel_count() == 0 ? 1 : int64_t{message.channel_count()},
          .samples = {}};
}

using AudioClips = google::protobuf::RepeatedPtrField<v1::Audio>;

// Views of the clips. INVALID_ARGUMENT: none, more than max_clips, one without a source.
std::variant<std::vector<AudioSource>, RequestFault> ReadClips(const AudioClips& clips, int max_clips);

// "clips[3].pcm.samples": the part of a request's clip that an error is about.
std::string ClipField(const AudioClips& clips, int clip, AudioField field);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_READ_REQUEST_H_
