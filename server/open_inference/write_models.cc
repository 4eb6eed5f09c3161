#include "server/open_inference/write_models.h"

#include <string>
#include <string_view>
#include <vector>

namespace hearwire {
namespace {

constexpr int64_t kAnySize = -1;

struct TensorForm {
  std::string_view name;
  const char* type;
  inference::DataType number;
  std::vector<int64_t> dims;  // Without that of the batch.
};

std::vector<TensorForm> Inputs() {
  return {{kWave, "FP32", inference::TYPE_FP32, {kAnySize}}, {kAudio, "BYTES", inference::TYPE_STRING, {1}}};
}

std::vector<TensorForm> Outputs(const InferenceModel& model) {
  const int64_t size = model.config->embedding_size();
  switch (model.kind) {
    case InferenceModel::Kind::kScene:
      return {{kEmbedding, "FP32", inference::TYPE_FP32, {size}}};
    case InferenceModel::Kind::kTimestamps:
      return {{kEmbedding, "FP32", inference::TYPE_FP32, {kAnySize, size}},
              {kTimestamps, "FP64", inference::TYPE_FP64, {kAnySize}}};
    case InferenceModel::Kind::kTags:
      break;
  }
  return {{kScores, "FP32", inference::TYPE_FP32, {kAnySize}}, {kLabels, "BYTES", inference::TYPE_STRING, {kAnySize}}};
}

void WriteTensor(const TensorForm& tensor, inference::ModelMetadataResponse::TensorMetadata* metadata) {
  metadata->set_name(std::string(tensor.name));
  metadata->set_datatype(tensor.type);
  metadata->add_shape(kAnySize);
  for (const int64_t size : tensor.dims) metadata->add_shape(size);
}

template <typename Message>
void WriteTensor(const TensorForm& tensor, Message* config) {
  config->set_name(std::string(tensor.name));
  config->set_data_type(tensor.number);
  for (const int64_t size : tensor.dims) config->add_dims(size);
}

void WriteDuration(uint64_t count, uint64_t ns, inference::StatisticDuration* duration) {
  duration->set_count(count);
  duration->set_ns(ns);
}

}  // namespace

void WriteMetadata(const InferenceModel& model, inference::ModelMetadataResponse* metadata) {
  metadata->set_name(model.name);
  metadata->add_versions(std::string(kModelVersion));
  metadata->set_platform(kPlatform);
  for (const TensorForm& tensor : Inputs()) WriteTensor(tensor, metadata->add_inputs());
  for (const TensorForm& tensor : Outputs(model)) WriteTensor(tensor, metadata->add_outputs());
}

void WriteModelConfig(const InferenceModel& model, int max_clips, inference::ModelConfig* config) {
  config->set_name(model.name);
  config->set_platform(kPlatform);
  config->set_backend(kPlatform);
  config->set_max_batch_size(max_clips);
  config->mutable_dynamic_batching();
  for (const TensorForm& tensor : Inputs()) {
    inference::ModelInput* const input = config->add_input();
    WriteTensor(tensor, input);
    input->set_optional(true);  // The other one will do.
  }
  for (const TensorForm& tensor : Outputs(model)) WriteTensor(tensor, config->add_output());
}

void WriteStatistics(const InferenceModel& model, const ModelCounts& counts, inference::ModelStatistics* statistics) {
  const uint64_t calls = counts.succeeded_calls;
  statistics->set_name(model.name);
  statistics->set_version(std::string(kModelVersion));
  statistics->set_last_inference(counts.last_ms);
  statistics->set_inference_count(counts.clips_answered);
  statistics->set_execution_count(calls);
  inference::InferStatistics& stats = *statistics->mutable_inference_stats();
  WriteDuration(calls, counts.success_ns, stats.mutable_success());
  WriteDuration(counts.failed, counts.fail_ns, stats.mutable_fail());
  WriteDuration(calls, counts.queue_ns, stats.mutable_queue());
  WriteDuration(calls, counts.decode_ns, stats.mutable_compute_input());
  WriteDuration(calls, counts.inference_ns, stats.mutable_compute_infer());
  WriteDuration(calls, 0, stats.mutable_compute_output());
}

}  // namespace hearwire
