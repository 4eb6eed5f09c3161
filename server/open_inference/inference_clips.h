// From the tensors of a ModelInfer request to a call's clips.

#ifndef HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_CLIPS_H_
#define HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_CLIPS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/audio/decode_audio.h"
#include "server/open_inference/inference_request.h"
#include "server/rpc/read_request.h"

namespace hearwire {

struct InferenceClips {
  std::vector<AudioSource> clips;  // Views of the request.
  std::string_view input;          // kWave or kAudio.
};

// WAVE is FP32 or INT16, [n] or [b, n]; AUDIO is BYTES, [b] or [b, 1], a whole file each, which says its own rate.
// INVALID_ARGUMENT, for the field at fault: no input or several, one of another name, type or shape, more than
// max_clips clips, contents that are not as many as the shape says, contents both raw and typed, or in shared memory; a
// rate for files. What samples and files are worth the pipeline finds.
std::variant<InferenceClips, RequestFault> ReadInferenceClips(const InferenceRequest& request,
                                                              std::optional<int64_t> sample_rate_hz, int max_clips);

// The path of what is wrong with a clip: "WAVE[3]", `parameters["sample_rate"]`.
std::string InferenceClipField(std::string_view input, int clip, AudioField field);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_CLIPS_H_
