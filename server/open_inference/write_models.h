// What the protocol tells of models.

#ifndef HEARWIRE_SERVER_OPEN_INFERENCE_WRITE_MODELS_H_
#define HEARWIRE_SERVER_OPEN_INFERENCE_WRITE_MODELS_H_

#include "inference/open_inference.pb.h"
#include "server/open_inference/inference_models.h"
#include "server/open_inference/model_counts.h"

namespace hearwire {

inline constexpr char kPlatform[] = "hearwire";

void WriteMetadata(const InferenceModel& model, inference::ModelMetadataResponse* metadata);

// max_clips: of a call.
void WriteModelConfig(const InferenceModel& model, int max_clips, inference::ModelConfig* config);

void WriteStatistics(const InferenceModel& model, const ModelCounts& counts, inference::ModelStatistics* statistics);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_OPEN_INFERENCE_WRITE_MODELS_H_
