// What a ModelInfer request says beside its tensors.

#ifndef HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_PARAMETERS_H_
#define HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_PARAMETERS_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "inference/open_inference.pb.h"
#include "models/configs/config.h"
#include "server/open_inference/inference_models.h"
#include "server/rpc/read_request.h"

namespace hearwire {

struct InferenceParameters {
  std::optional<int64_t> sample_rate_hz = std::nullopt;  // Of WAVE; it has kSampleRateHz where none is given.
  uint32_t top_k = 0;                                    // Of tags; 0: all classes.
};

// INVALID_ARGUMENT: a parameter that is not known here, of the wrong type, or out of range. Those of Triton that change
// no answer are passed over: priority, timeout, sequence_id, sequence_start, sequence_end, and
// whatever begins with triton_.
std::variant<InferenceParameters, RequestFault> ReadParameters(const inference::ModelInferRequest& request,
                                                               InferenceModel::Kind kind);

// The outputs that are to be answered, in the order asked; all of the model's where none is. Constants.
// INVALID_ARGUMENT: one that the model has not, one twice, one with a parameter.
std::variant<std::vector<std::string_view>, RequestFault> ReadOutputs(const inference::ModelInferRequest& request,
                                                                      InferenceModel::Kind kind);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_PARAMETERS_H_
