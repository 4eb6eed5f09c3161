// The reply of ModelInfer, made of what the RPCs of hearwire.v1 answer.

#ifndef HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_WRITER_H_
#define HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_WRITER_H_

#include <memory>
#include <string_view>
#include <vector>

#include "inference/open_inference.pb.h"
#include "server/open_inference/inference_models.h"
#include "server/rpc/reply_writer.h"

namespace hearwire {

struct InferenceReply {
  InferenceModel model;
  ReplySpace space;                       // Its parts are parameters of the reply.
  std::vector<std::string_view> outputs;  // As ReadOutputs has them.
  std::string_view id;
  std::string_view input;  // Whose clips they are, for errors.
  int clips;
  int top_k;
};

// With clips of unlike lengths timestamps make no tensor: INVALID_ARGUMENT, for the clip.
std::unique_ptr<ReplyWriter> NewInferenceWriter(const InferenceReply& reply, inference::ModelInferResponse* response);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_WRITER_H_
