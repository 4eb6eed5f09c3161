// A large request is read in parts: its audio, of which protobuf would make copies, and the rest, which is small.

#ifndef HEARWIRE_SERVER_RPC_LIFT_AUDIO_H_
#define HEARWIRE_SERVER_RPC_LIFT_AUDIO_H_

#include <google/protobuf/io/zero_copy_stream.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hearwire {

// Audio of a request's clip. At most one of both is in force; which, the clip's own message says.
struct LiftedClip {
  std::string encoded;      // Audio.encoded
  std::string pcm_samples;  // Audio.pcm.samples
};

struct LiftedRequest {
  std::string message;            // The request with empty bytes in the place of all audio.
  std::vector<LiftedClip> clips;  // In the order of its field `clips`.
};

// `input` is a request whose field 2 is `repeated Audio clips`. Fields that come twice count as protobuf counts them:
// the last one, of a oneof too, and parts of one message are put together. Nothing: the bytes are no message.
std::optional<LiftedRequest> LiftAudio(google::protobuf::io::ZeroCopyInputStream* input);

// Request::ParseFromZeroCopyStream, by the way of LiftAudio.
template <typename Request>
bool ParseInParts(google::protobuf::io::ZeroCopyInputStream* input, Request* message) {
  std::optional<LiftedRequest> lifted = LiftAudio(input);
  if (!lifted || !message->ParseFromString(lifted->message)) return false;
  for (int i = 0; i < message->clips_size(); ++i) {
    auto* const clip = message->mutable_clips(i);
    LiftedClip& audio = lifted->clips[static_cast<size_t>(i)];
    if (clip->has_encoded()) clip->set_encoded(std::move(audio.encoded));
    if (clip->has_pcm()) clip->mutable_pcm()->set_samples(std::move(audio.pcm_samples));
  }
  return true;
}

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_LIFT_AUDIO_H_
