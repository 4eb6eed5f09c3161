// A ModelInferRequest, read in parts: what tensors hold, and the rest, which is small.

#ifndef HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_REQUEST_H_
#define HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_REQUEST_H_

#include <google/protobuf/io/zero_copy_stream.h>
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inference/open_inference.pb.h"
#include "server/rpc/read_request.h"

namespace hearwire {

// What an input's `contents` holds, as the bytes that raw_input_contents would have.
struct TensorContents {
  std::string fp32;
  std::string int16;                    // Of int_contents.
  std::optional<int64_t> beyond_int16;  // Place of the first value that is none.
  std::vector<std::string> elements;    // Of bytes_contents.
  bool has_other = false;               // Values of a type that is not read.

  bool empty() const { return fp32.empty() && int16.empty() && elements.empty() && !has_other; }
};

struct LiftedInput {
  std::vector<int64_t> shape;  // The first kMostDimensions; there may be one more, to tell that there are more.
  TensorContents contents;
};

inline constexpr size_t kMostDimensions = 8;

struct InferenceRequest {
  inference::ModelInferRequest message;  // Its inputs have no shapes and contents, and it no raw ones.
  std::vector<LiftedInput> inputs;       // Of message.inputs, in its order.
  std::vector<std::string> raw;          // raw_input_contents

  // Of all contents.
  int64_t held_bytes() const;
};

// Of the bytes what protobuf makes of them, with contents as they are: each in memory once, int_contents as two bytes a
// value, and shapes cut off. False: they are no such message.
bool ParseInference(google::protobuf::io::ZeroCopyInputStream* input, InferenceRequest* request);

// As the others of server/rpc/read_message.h.
std::optional<RequestFault> ReadMessage(grpc::ByteBuffer* bytes, int64_t most_fields, InferenceRequest* request);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_REQUEST_H_
