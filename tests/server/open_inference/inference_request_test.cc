#include "server/open_inference/inference_request.h"

#include <gmock/gmock.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <random>
#include <string>

#include "tests/server/rpc/damaged_bytes.h"

namespace hearwire {
namespace {

using google::protobuf::io::ArrayInputStream;
using inference::ModelInferRequest;

// In blocks of a few bytes, as if each came alone; nothing: it is no message.
std::optional<InferenceRequest> Parse(const std::string& bytes, int block = 1000) {
  ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()), block);
  InferenceRequest request;
  if (!ParseInference(&stream, &request)) return std::nullopt;
  return request;
}

std::string Bytes(const ModelInferRequest& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream output(&stream);
    output.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&output);
  }
  return bytes;
}

// Put together again. Nothing where something was cut off.
std::optional<std::string> PutTogether(InferenceRequest request) {
  request.message.DiscardUnknownFields();
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const LiftedInput& lifted = request.inputs[i];
    if (lifted.shape.size() > kMostDimensions || lifted.contents.beyond_int16) return std::nullopt;
    auto* const input = request.message.mutable_inputs(static_cast<int>(i));
    for (const int64_t size : lifted.shape) input->add_shape(size);
    const TensorContents& contents = lifted.contents;
    for (size_t at = 0; at < contents.fp32.size(); at += 4) {
      float value;
      std::memcpy(&value, &contents.fp32[at], 4);
      input->mutable_contents()->add_fp32_contents(value);
    }
    for (size_t at = 0; at < contents.int16.size(); at += 2) {
      int16_t value;
      std::memcpy(&value, &contents.int16[at], 2);
      input->mutable_contents()->add_int_contents(value);
    }
    for (const std::string& element : contents.elements) input->mutable_contents()->add_bytes_contents(element);
  }
  for (const std::string& tensor : request.raw) request.message.add_raw_input_contents(tensor);
  return Bytes(request.message);
}

std::optional<std::string> ByProtobuf(const std::string& bytes) {
  ModelInferRequest message;
  if (!message.ParseFromString(bytes)) return std::nullopt;
  message.DiscardUnknownFields();
  for (auto& input : *message.mutable_inputs()) {
    if (input.has_contents() && input.contents().ByteSizeLong() == 0) input.clear_contents();
  }
  return Bytes(message);
}

ModelInferRequest Request() {
  ModelInferRequest request;
  request.set_model_name("hearwire_mn01_all_b_mel_avgs.scene");
  request.set_id("7");
  (*request.mutable_parameters())["sample_rate"].set_int64_param(16000);
  auto* input = request.add_inputs();
  input->set_name("WAVE");
  input->set_datatype("FP32");
  input->add_shape(2);
  input->add_shape(300);
  for (const float value : {0.5f, -1.0f, 0.25f}) input->mutable_contents()->add_fp32_contents(value);
  input = request.add_inputs();
  for (const int value : {0, -1, 32767, -32768}) input->mutable_contents()->add_int_contents(value);
  input->mutable_contents()->add_bytes_contents("a whole file");
  request.add_outputs()->set_name("EMBEDDING");
  request.add_raw_input_contents("samples of a clip");
  request.add_raw_input_contents("");
  return request;
}

TEST(InferenceRequestTest, ReadsWhatProtobufReads) {
  const std::string bytes = Bytes(Request());
  for (const int block : {1, 3, 1000}) EXPECT_EQ(PutTogether(Parse(bytes, block).value()), ByProtobuf(bytes));
  EXPECT_EQ(PutTogether(Parse("").value()), "");
}

// Protobuf's own answer, whatever bytes were changed and wherever the message was cut.
TEST(InferenceRequestTest, ReadsDamagedMessagesAsProtobufDoes) {
  const google::protobuf::LogSilencer silence;
  const std::string whole = Bytes(Request());
  std::mt19937 random(7);
  int messages = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = DamagedBytes(whole, i, &random);
    if (i % 3 == 0) bytes.resize(random() % (bytes.size() + 1));
    const std::optional<InferenceRequest> parsed = Parse(bytes, 1 + i % 7);
    const std::optional<std::string> expected = ByProtobuf(bytes);
    ASSERT_EQ(parsed.has_value(), expected.has_value()) << i;
    if (!parsed) continue;
    const std::optional<std::string> together = PutTogether(*parsed);
    if (together) {
      ASSERT_EQ(together, expected) << i;
    }
    ++messages;
  }
  EXPECT_GT(messages, 1000);
}

TEST(InferenceRequestTest, KeepsNumbersThatComeOneByOne) {
  // Field 6 of a contents, twice alone and once as a pack; field 2 likewise.
  const std::string contents = std::string("\x35\0\0\x80\x3f", 5) + std::string("\x32\x04\0\0\0\x40", 6) +
                               std::string("\x10\x05\x12\x02\x06\x07", 6);
  const std::string input = std::string("\x2a") + static_cast<char>(contents.size()) + contents;
  const InferenceRequest request = Parse(std::string("\x2a") + static_cast<char>(input.size()) + input).value();
  EXPECT_EQ(request.inputs[0].contents.fp32, std::string("\0\0\x80\x3f\0\0\0\x40", 8));
  EXPECT_EQ(request.inputs[0].contents.int16, std::string("\x05\0\x06\0\x07\0", 6));
}

TEST(InferenceRequestTest, CutsShapesOff) {
  ModelInferRequest message;
  auto* const input = message.add_inputs();
  for (int i = 0; i < 100'000; ++i) input->add_shape(1);
  EXPECT_EQ(Parse(message.SerializeAsString()).value().inputs[0].shape.size(), kMostDimensions + 1);
}

TEST(InferenceRequestTest, TellsTheFirstValueBeyondInt16) {
  ModelInferRequest message = Request();
  message.mutable_inputs(1)->mutable_contents()->add_int_contents(32768);
  message.mutable_inputs(1)->mutable_contents()->add_int_contents(-32769);
  EXPECT_EQ(Parse(message.SerializeAsString()).value().inputs[1].contents.beyond_int16, 4);
}

}  // namespace
}  // namespace hearwire
