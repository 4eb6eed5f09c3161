#include "server/open_inference/inference_clips.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/configs/config.h"
#include "server/names/nearest_names.h"
#include "server/open_inference/inference_models.h"
#include "server/rpc/request_faults.h"

namespace hearwire {
namespace {

using Input = inference::ModelInferRequest::InferInputTensor;

constexpr char kInput[] = "inputs[0]";
constexpr char kShape[] = "inputs[0].shape";
constexpr char kRawField[] = "raw_input_contents[0]";
constexpr char kContentsField[] = "inputs[0].contents";

std::string ShapeText(const std::vector<int64_t>& shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

// The request's one input.
std::variant<std::string_view, RequestFault> ReadInputName(const InferenceRequest& request) {
  const auto& inputs = request.message.inputs();
  if (inputs.empty()) return InvalidRequest("inputs", "there are none; WAVE or AUDIO is needed");
  for (int i = 0; i < inputs.size(); ++i) {
    if (inputs[i].name() == kWave || inputs[i].name() == kAudio) continue;
    return InvalidRequest(absl::StrCat("inputs[", i, "].name"),
                          absl::StrCat("the model has no input ", Quoted(inputs[i].name()), "; it has WAVE and AUDIO"));
  }
  if (inputs.size() > 1) {
    return InvalidRequest(
        "inputs", absl::StrCat("there are ", inputs.size(), "; a call has one, WAVE or AUDIO, with all of its clips"));
  }
  for (const auto& [name, parameter] : inputs[0].parameters()) {
    return InvalidRequest(absl::StrCat(kInput, ".parameters[", Quoted(name), "]"),
                          name.rfind("shared_memory", 0) == 0
                              ? "there is no shared memory here: send the tensor in the message"
                              : "inputs have no parameters here: sample_rate is one of the request");
  }
  return inputs[0].name() == kWave ? kWave : kAudio;
}

// Whether contents are raw, or else typed.
std::variant<bool, RequestFault> ReadForm(const InferenceRequest& request) {
  const bool typed = !request.inputs[0].contents.empty();
  if (request.raw.empty()) return false;
  if (request.raw.size() != 1) {
    return InvalidRequest("raw_input_contents",
                          absl::StrCat("there are ", request.raw.size(), " for 1 input: one for each"));
  }
  if (typed) return InvalidRequest(kContentsField, "it is there beside raw_input_contents: one of both");
  return true;
}

// Clips, of WAVE with so many samples each.
struct Sizes {
  int64_t clips = 0;
  int64_t samples = 0;
};

std::variant<Sizes, RequestFault> ReadShape(const std::vector<int64_t>& shape, std::string_view input, int max_clips) {
  const bool wave = input == kWave;
  const bool fits =
      wave ? shape.size() == 1 || shape.size() == 2 : shape.size() == 1 || (shape.size() == 2 && shape[1] == 1);
  if (!fits) {
    return InvalidRequest(kShape,
                          absl::StrCat(ShapeText(shape), shape.size() > kMostDimensions ? " and more" : "",
                                       wave ? " is no shape of WAVE; [samples] or [clips, samples] would be right"
                                            : " is no shape of AUDIO; [clips] or [clips, 1] would be right"));
  }
  for (const int64_t size : shape) {
    if (size < 1) return InvalidRequest(kShape, absl::StrCat(ShapeText(shape), " has a size below 1"));
  }
  Sizes sizes{.clips = wave && shape.size() == 1 ? 1 : shape[0], .samples = shape.back()};
  if (std::optional<RequestFault> fault = CheckClipCount(sizes.clips, max_clips, kShape)) return std::move(*fault);
  return sizes;
}

RequestFault OtherSize(const char* field, size_t bytes, const char* type, const std::vector<int64_t>& shape) {
  return InvalidRequest(field, absl::StrCat("it has ", bytes, " bytes, which is not what ", type, " of the shape ",
                                            ShapeText(shape), " takes"));
}

std::variant<std::vector<AudioSource>, RequestFault> ReadWaves(const InferenceRequest& request, bool raw,
                                                               const Sizes& sizes, int64_t sample_rate_hz) {
  const std::string& type = request.message.inputs(0).datatype();
  const bool floats = type == "FP32";
  if (!floats && type != "INT16") {
    return InvalidRequest("inputs[0].datatype",
                          absl::StrCat(Quoted(type), " is no type of WAVE; FP32 or INT16 would be right"));
  }
  const LiftedInput& input = request.inputs[0];
  const char* const field = raw      ? kRawField
                            : floats ? "inputs[0].contents.fp32_contents"
                                     : "inputs[0].contents.int_contents";
  if (!raw && !floats && input.contents.beyond_int16) {
    return InvalidRequest(field, absl::StrCat("value ", *input.contents.beyond_int16, " is beyond what INT16 holds"));
  }
  const std::string& samples = raw ? request.raw[0] : floats ? input.contents.fp32 : input.contents.int16;
  const auto sample_bytes = static_cast<int64_t>(floats ? sizeof(float) : sizeof(int16_t));
  // Both factors are small enough for their product once the clips divide the bytes.
  const auto bytes = static_cast<int64_t>(samples.size());
  if (bytes % sizes.clips != 0 || bytes / sizes.clips % sample_bytes != 0 ||
      bytes / sizes.clips / sample_bytes != sizes.samples) {
    return OtherSize(field, samples.size(), floats ? "FP32" : "INT16", input.shape);
  }
  const auto clip_bytes = static_cast<size_t>(bytes / sizes.clips);
  std::vector<AudioSource> clips;
  clips.reserve(static_cast<size_t>(sizes.clips));
  for (size_t begin = 0; begin < samples.size(); begin += clip_bytes) {
    clips.push_back(PcmAudio{.encoding = floats ? PcmAudio::Encoding::kFloat32 : PcmAudio::Encoding::kLinear16,
                             .sample_rate_hz = sample_rate_hz,
                             .channel_count = 1,
                             .samples = std::string_view(samples).substr(begin, clip_bytes)});
  }
  return clips;
}

// Elements behind their lengths. Nothing: a length leads beyond the end, or there are not so many of them.
std::optional<std::vector<AudioSource>> SplitElements(std::string_view bytes, int64_t count) {
  std::vector<AudioSource> files;
  while (!bytes.empty()) {
    uint32_t size;
    if (bytes.size() < sizeof(size) || static_cast<int64_t>(files.size()) == count) return std::nullopt;
    std::memcpy(&size, bytes.data(), sizeof(size));  // Little-endian, like this machine: server/rpc/write_matrix.cc.
    bytes.remove_prefix(sizeof(size));
    if (size > bytes.size()) return std::nullopt;
    files.push_back(EncodedAudio{bytes.substr(0, size)});
    bytes.remove_prefix(size);
  }
  if (static_cast<int64_t>(files.size()) != count) return std::nullopt;
  return files;
}

std::variant<std::vector<AudioSource>, RequestFault> ReadFiles(const InferenceRequest& request, bool raw,
                                                               const Sizes& sizes) {
  const std::string& type = request.message.inputs(0).datatype();
  if (type != "BYTES") {
    return InvalidRequest("inputs[0].datatype",
                          absl::StrCat(Quoted(type), " is no type of AUDIO; BYTES would be right"));
  }
  const LiftedInput& input = request.inputs[0];
  if (raw) {
    std::optional<std::vector<AudioSource>> files = SplitElements(request.raw[0], sizes.clips);
    if (files) return *std::move(files);
    return InvalidRequest(kRawField, absl::StrCat("it is not as many elements as the shape ", ShapeText(input.shape),
                                                  " says, each of them behind its length of four bytes"));
  }
  if (static_cast<int64_t>(input.contents.elements.size()) != sizes.clips) {
    return InvalidRequest("inputs[0].contents.bytes_contents",
                          absl::StrCat("there are ", input.contents.elements.size(), " elements, and the shape says ",
                                       ShapeText(input.shape)));
  }
  std::vector<AudioSource> files;
  files.reserve(input.contents.elements.size());
  for (const std::string& element : input.contents.elements) files.push_back(EncodedAudio{element});
  return files;
}

}  // namespace

std::variant<InferenceClips, RequestFault> ReadInferenceClips(const InferenceRequest& request,
                                                              std::optional<int64_t> sample_rate_hz, int max_clips) {
  auto name = ReadInputName(request);
  if (auto* fault = std::get_if<RequestFault>(&name)) return std::move(*fault);
  InferenceClips read{.clips = {}, .input = std::get<std::string_view>(name)};
  const auto form = ReadForm(request);
  if (const auto* fault = std::get_if<RequestFault>(&form)) return *fault;
  const bool raw = std::get<bool>(form);
  const auto shape = ReadShape(request.inputs[0].shape, read.input, max_clips);
  if (const auto* fault = std::get_if<RequestFault>(&shape)) return *fault;
  const Sizes& sizes = std::get<Sizes>(shape);
  if (read.input == kAudio && sample_rate_hz) {
    return InvalidRequest(InferenceClipField(kAudio, 0, AudioField::kSampleRate),
                          "files say their own rate: leave it out");
  }
  auto clips = read.input == kWave ? ReadWaves(request, raw, sizes, sample_rate_hz.value_or(kSampleRateHz))
                                   : ReadFiles(request, raw, sizes);
  if (auto* fault = std::get_if<RequestFault>(&clips)) return std::move(*fault);
  read.clips = std::move(std::get<std::vector<AudioSource>>(clips));
  return read;
}

std::string InferenceClipField(std::string_view input, int clip, AudioField field) {
  if (field == AudioField::kSampleRate) return "parameters[\"sample_rate\"]";
  return absl::StrCat(absl::string_view(input.data(), input.size()), "[", clip, "]");
}

}  // namespace hearwire
