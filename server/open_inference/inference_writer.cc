#include "server/open_inference/inference_writer.h"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearwire/v1/embedding.pb.h"
#include "server/open_inference/inference_clips.h"

namespace hearwire {
namespace {

// Names, shapes and the space.
constexpr int64_t kFixedBytes = 2048;

template <typename Value>
void AppendValue(Value value, std::string* bytes) {
  bytes->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// What the models' writers have in common. Inner: the reply of hearwire.v1 that has the same numbers.
template <typename Inner>
class InferenceWriter : public ReplyWriter {
 public:
  InferenceWriter(InferenceReply reply, inference::ModelInferResponse* response)
      : reply_(std::move(reply)), response_(response) {}

  ReplySize size() const override {
    ReplySize size = writer_->size();
    size.fixed += kFixedBytes + static_cast<int64_t>(reply_.id.size());
    ++size.held_per_byte;  // For a while both replies are there.
    return size;
  }

  std::optional<RequestFault> WriteRows(const WindowRows& rows) override { return writer_->WriteRows(rows); }

  void WriteEnd(absl::Duration total, const CallTimes& times) final {
    writer_->WriteEnd(total, times);
    response_->set_model_name(reply_.model.name);
    response_->set_model_version(std::string(kModelVersion));
    response_->set_id(std::string(reply_.id));
    const auto& space = inner_.space();
    const auto set = [&](const char* name, const std::string& value) {
      if (!value.empty()) (*response_->mutable_parameters())[name].set_string_param(value);
    };
    set("config", space.config());
    set("weights_sha256", space.weights_sha256());
    set("frontend", space.frontend());
    set("precision", space.precision());
    for (const std::string_view name : reply_.outputs) {
      auto* const output = response_->add_outputs();
      output->set_name(std::string(name));
      WriteOutput(name, output, response_->add_raw_output_contents());
    }
    inner_.Clear();
  }

 protected:
  using Output = inference::ModelInferResponse::InferOutputTensor;

  // Each output once, at the end.
  virtual void WriteOutput(std::string_view name, Output* output, std::string* bytes) = 0;

  static void Describe(const char* type, std::initializer_list<int64_t> shape, Output* output) {
    output->set_datatype(type);
    for (const int64_t size : shape) output->add_shape(size);
  }

  const InferenceReply reply_;
  inference::ModelInferResponse* const response_;
  Inner inner_;
  std::unique_ptr<ReplyWriter> writer_;  // Of inner_.
};

class SceneWriter final : public InferenceWriter<v1::GetSceneEmbeddingsResponse> {
 public:
  SceneWriter(InferenceReply reply, inference::ModelInferResponse* response)
      : InferenceWriter(std::move(reply), response) {
    writer_ = NewReplyWriter(reply_.space, reply_.model.config->embedding_size(), reply_.clips,
                             v1::ELEMENT_TYPE_FLOAT32, &inner_);
  }

 private:
  void WriteOutput(std::string_view /*name*/, Output* output, std::string* bytes) override {
    v1::Matrix& matrix = *inner_.mutable_embeddings();
    Describe("FP32", {matrix.rows(), matrix.columns()}, output);
    *bytes = std::move(*matrix.mutable_data());
  }
};

class TimestampWriter final : public InferenceWriter<v1::GetTimestampEmbeddingsResponse> {
 public:
  TimestampWriter(InferenceReply reply, inference::ModelInferResponse* response)
      : InferenceWriter(std::move(reply), response) {
    writer_ = NewReplyWriter(reply_.space, reply_.model.config->embedding_size(), reply_.clips,
                             v1::ELEMENT_TYPE_FLOAT32, &inner_);
  }

  std::optional<RequestFault> WriteRows(const WindowRows& rows) override {
    if (auto fault = InferenceWriter::WriteRows(rows)) return fault;
    if (!rows.last) return std::nullopt;
    const int64_t length = inner_.clips(rows.clip).embeddings().rows();
    if (!length_) length_ = length;
    if (length == *length_) return std::nullopt;
    return InvalidRequest(InferenceClipField(reply_.input, rows.clip, AudioField::kSource),
                          absl::StrCat("it has ", length, " timestamps, and another clip of the call ", *length_,
                                       ": clips of unlike lengths make no tensor, each needs a call of its own"));
  }

 private:
  void WriteOutput(std::string_view name, Output* output, std::string* bytes) override {
    const int64_t length = length_.value_or(0);
    if (name == kTimestamps) {
      Describe("FP64", {reply_.clips, length}, output);
      for (const v1::TimestampEmbeddings& clip : inner_.clips()) {
        for (const double milliseconds : clip.timestamps_ms()) AppendValue(milliseconds, bytes);
      }
      return;
    }
    Describe("FP32", {reply_.clips, length, reply_.model.config->embedding_size()}, output);
    for (v1::TimestampEmbeddings& clip : *inner_.mutable_clips()) {
      std::string rows = std::move(*clip.mutable_embeddings()->mutable_data());
      if (reply_.clips == 1) {
        *bytes = std::move(rows);
        return;
      }
      bytes->reserve(rows.size() * static_cast<size_t>(reply_.clips));
      bytes->append(rows);
    }
  }

  std::optional<int64_t> length_;  // Of the first clip that ended.
};

class TagsWriter final : public InferenceWriter<v1::GetTagsResponse> {
 public:
  TagsWriter(InferenceReply reply, inference::ModelInferResponse* response)
      : InferenceWriter(std::move(reply), response) {
    writer_ = NewTagsWriter(reply_.space, reply_.clips, reply_.top_k, &inner_);
  }

 private:
  void WriteOutput(std::string_view name, Output* output, std::string* bytes) override {
    const bool scores = name == kScores;
    Describe(scores ? "FP32" : "BYTES", {reply_.clips, reply_.top_k}, output);
    for (const v1::Tags& clip : inner_.clips()) {
      for (const v1::Tag& tag : clip.tags()) {
        if (scores) {
          AppendValue(tag.probability(), bytes);
          continue;
        }
        AppendValue(static_cast<uint32_t>(tag.name().size()), bytes);
        bytes->append(tag.name());
      }
    }
  }
};

}  // namespace

std::unique_ptr<ReplyWriter> NewInferenceWriter(const InferenceReply& reply, inference::ModelInferResponse* response) {
  switch (reply.model.kind) {
    case InferenceModel::Kind::kScene:
      return std::make_unique<SceneWriter>(reply, response);
    case InferenceModel::Kind::kTimestamps:
      return std::make_unique<TimestampWriter>(reply, response);
    case InferenceModel::Kind::kTags:
      break;
  }
  return std::make_unique<TagsWriter>(reply, response);
}

}  // namespace hearwire
