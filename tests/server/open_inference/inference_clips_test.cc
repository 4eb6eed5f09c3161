#include "server/open_inference/inference_clips.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace hearwire {
namespace {

using ::testing::HasSubstr;

constexpr int kMaxClips = 8;

// Two clips of three floats.
InferenceRequest Waves() {
  InferenceRequest request;
  auto* const input = request.message.add_inputs();
  input->set_name("WAVE");
  input->set_datatype("FP32");
  request.inputs.push_back({.shape = {2, 3}, .contents = {}});
  request.raw.emplace_back("0123456789abcdefghijklmn");
  return request;
}

InferenceRequest Files() {
  InferenceRequest request;
  auto* const input = request.message.add_inputs();
  input->set_name("AUDIO");
  input->set_datatype("BYTES");
  request.inputs.push_back({.shape = {2}, .contents = {}});
  request.raw.emplace_back(std::string("\x03\0\0\0one\x05\0\0\0other", 16));
  return request;
}

InferenceClips Read(const InferenceRequest& request, std::optional<int64_t> rate = std::nullopt) {
  return std::get<InferenceClips>(ReadInferenceClips(request, rate, kMaxClips));
}

TEST(InferenceClipsTest, CutsWavesIntoClips) {
  InferenceRequest request = Waves();
  const InferenceClips read = Read(request, 16000);
  ASSERT_EQ(read.clips.size(), 2);
  const auto& second = std::get<PcmAudio>(read.clips[1]);
  EXPECT_EQ(second.samples, "cdefghijklmn");
  EXPECT_EQ(second.samples.data(), request.raw[0].data() + 12);  // A view: nothing is copied.
  EXPECT_EQ(second.sample_rate_hz, 16000);
  EXPECT_EQ(second.encoding, PcmAudio::Encoding::kFloat32);
  request.message.mutable_inputs(0)->set_datatype("INT16");
  request.inputs[0].shape = {12};
  const auto only = std::get<PcmAudio>(Read(request).clips.at(0));
  EXPECT_EQ(only.encoding, PcmAudio::Encoding::kLinear16);
  EXPECT_EQ(only.sample_rate_hz, 32000);
  EXPECT_EQ(only.samples, request.raw[0]);
}

TEST(InferenceClipsTest, TakesFilesApart) {
  InferenceRequest request = Files();
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{2}, std::vector<int64_t>{2, 1}}) {
    request.inputs[0].shape = shape;
    const InferenceClips read = Read(request);
    ASSERT_EQ(read.clips.size(), 2);
    EXPECT_EQ(std::get<EncodedAudio>(read.clips[0]).bytes, "one");
    EXPECT_EQ(std::get<EncodedAudio>(read.clips[1]).bytes, "other");
  }
  request.inputs[0].contents.elements = {"typed", "too"};
  request.raw.clear();
  EXPECT_EQ(std::get<EncodedAudio>(Read(request).clips[0]).bytes, "typed");
}

struct BadCase {
  const char* what;
  std::function<void(InferenceRequest*)> spoil;
  const char* field;
  const char* message;
};

TEST(InferenceClipsTest, SaysWhatIsWrongWithWaves) {
  using R = InferenceRequest;
  const std::vector<BadCase> cases = {
      {"no input", [](R* r) { r->message.clear_inputs(); }, "inputs", "WAVE or AUDIO is needed"},
      {"a wrong name", [](R* r) { r->message.mutable_inputs(0)->set_name("WAV"); }, "inputs[0].name", "WAVE and AUDIO"},
      {"two inputs", [](R* r) { *r->message.add_inputs() = r->message.inputs(0); }, "inputs", "there are 2"},
      {"a wrong type", [](R* r) { r->message.mutable_inputs(0)->set_datatype("FP64"); }, "inputs[0].datatype",
       "FP32 or INT16"},
      {"no shape", [](R* r) { r->inputs[0].shape.clear(); }, "inputs[0].shape", "[samples] or [clips, samples]"},
      {"three dimensions",
       [](R* r) {
         r->inputs[0].shape = {1, 2, 3};
       },
       "inputs[0].shape", "[1, 2, 3]"},
      {"nine dimensions", [](R* r) { r->inputs[0].shape.assign(9, 1); }, "inputs[0].shape", "and more"},
      {"no samples",
       [](R* r) {
         r->inputs[0].shape = {2, 0};
       },
       "inputs[0].shape", "below 1"},
      {"a size below 0",
       [](R* r) {
         r->inputs[0].shape = {-2, -3};
       },
       "inputs[0].shape", "below 1"},
      {"too many clips",
       [](R* r) {
         r->inputs[0].shape = {9, 3};
       },
       "inputs[0].shape", "at most 8"},
      {"too few bytes", [](R* r) { r->raw[0].pop_back(); }, "raw_input_contents[0]", "23 bytes"},
      {"a larger shape",
       [](R* r) {
         r->inputs[0].shape = {2, 4};
       },
       "raw_input_contents[0]", "[2, 4]"},
      {"a product beyond 64 bits",
       [](R* r) {
         r->inputs[0].shape = {8, INT64_MAX};
       },
       "raw_input_contents[0]", "24"},
      {"more raw contents", [](R* r) { r->raw.emplace_back(); }, "raw_input_contents", "there are 2 for 1"},
      {"both forms", [](R* r) { r->inputs[0].contents.fp32 = "abcd"; }, "inputs[0].contents", "one of both"},
      {"no contents", [](R* r) { r->raw.clear(); }, "inputs[0].contents.fp32_contents", "0 bytes"},
      {"a value beyond INT16",
       [](R* r) {
         r->raw.clear();
         r->message.mutable_inputs(0)->set_datatype("INT16");
         r->inputs[0].contents.int16 = "abcdefghijkl";
         r->inputs[0].contents.beyond_int16 = 3;
       },
       "inputs[0].contents.int_contents", "value 3"},
      {"shared memory",
       [](R* r) {
         (*r->message.mutable_inputs(0)->mutable_parameters())["shared_memory_region"].set_string_param("x");
       },
       "inputs[0].parameters[\"shared_memory_region\"]", "in the message"},
      {"a parameter of the input",
       [](R* r) { (*r->message.mutable_inputs(0)->mutable_parameters())["sample_rate"].set_int64_param(1); },
       "inputs[0].parameters[\"sample_rate\"]", "one of the request"},
  };
  for (const BadCase& bad : cases) {
    InferenceRequest request = Waves();
    bad.spoil(&request);
    const auto read = ReadInferenceClips(request, std::nullopt, kMaxClips);
    const auto* fault = std::get_if<RequestFault>(&read);
    ASSERT_NE(fault, nullptr) << bad.what;
    EXPECT_EQ(fault->error.status.code(), absl::StatusCode::kInvalidArgument) << bad.what;
    EXPECT_EQ(fault->field, bad.field) << bad.what;
    EXPECT_THAT(std::string(fault->error.status.message()), HasSubstr(bad.message)) << bad.what;
  }
}

TEST(InferenceClipsTest, SaysWhatIsWrongWithFiles) {
  using R = InferenceRequest;
  const std::vector<BadCase> cases = {
      {"a wrong type", [](R* r) { r->message.mutable_inputs(0)->set_datatype("FP32"); }, "inputs[0].datatype", "BYTES"},
      {"a wrong shape",
       [](R* r) {
         r->inputs[0].shape = {1, 2};
       },
       "inputs[0].shape", "[clips] or [clips, 1]"},
      {"one file less", [](R* r) { r->inputs[0].shape = {3}; }, "raw_input_contents[0]", "four bytes"},
      {"one file more", [](R* r) { r->inputs[0].shape = {1}; }, "raw_input_contents[0]", "four bytes"},
      {"a length beyond the end", [](R* r) { r->raw[0][7] = '\xff'; }, "raw_input_contents[0]", "four bytes"},
      {"half a length", [](R* r) { r->raw[0] += "\x01"; }, "raw_input_contents[0]", "four bytes"},
      {"one element less",
       [](R* r) {
         r->raw.clear();
         r->inputs[0].contents.elements = {"one"};
       },
       "inputs[0].contents.bytes_contents", "1 elements"},
  };
  for (const BadCase& bad : cases) {
    InferenceRequest request = Files();
    bad.spoil(&request);
    const auto read = ReadInferenceClips(request, std::nullopt, kMaxClips);
    const auto* fault = std::get_if<RequestFault>(&read);
    ASSERT_NE(fault, nullptr) << bad.what;
    EXPECT_EQ(fault->field, bad.field) << bad.what;
    EXPECT_THAT(std::string(fault->error.status.message()), HasSubstr(bad.message)) << bad.what;
  }
  const auto read = ReadInferenceClips(Files(), 32000, kMaxClips);
  EXPECT_EQ(std::get<RequestFault>(read).field, "parameters[\"sample_rate\"]");
}

}  // namespace
}  // namespace hearwire
