#include "server/open_inference/inference_parameters.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/names/nearest_names.h"

namespace hearwire {
namespace {

using inference::InferParameter;
using inference::ModelInferRequest;

constexpr std::string_view kSampleRate = "sample_rate";
constexpr std::string_view kTopK = "top_k";
constexpr std::array kWithoutEffect = {std::string_view("priority"), std::string_view("timeout"),
                                       std::string_view("sequence_id"), std::string_view("sequence_start"),
                                       std::string_view("sequence_end")};
constexpr char kTritonsOwn[] =
    "triton_";  // What it may send begins so: perf_analyzer's triton_enable_empty_final_response.

bool HasNoEffect(const std::string& name) {
  return name.rfind(kTritonsOwn, 0) == 0 ||
         std::find(kWithoutEffect.begin(), kWithoutEffect.end(), name) != kWithoutEffect.end();
}

std::string PathOf(const std::string& name) { return absl::StrCat("parameters[", Quoted(name), "]"); }

std::variant<int64_t, RequestFault> ReadInteger(const std::string& name, const InferParameter& parameter) {
  switch (parameter.parameter_choice_case()) {
    case InferParameter::kInt64Param:
      return parameter.int64_param();
    case InferParameter::kUint64Param:
      return static_cast<int64_t>(std::min<uint64_t>(parameter.uint64_param(), INT64_MAX));
    default:
      return InvalidRequest(PathOf(name), "it is no integer: set int64_param");
  }
}

RequestFault UnknownParameter(const std::string& name, InferenceModel::Kind kind) {
  const bool tags = kind == InferenceModel::Kind::kTags;
  return InvalidRequest(PathOf(name), absl::StrCat("there is no such parameter; those of this model are sample_rate",
                                                   tags ? " and top_k" : " alone"));
}

}  // namespace

std::variant<InferenceParameters, RequestFault> ReadParameters(const ModelInferRequest& request,
                                                               InferenceModel::Kind kind) {
  InferenceParameters read;
  for (const auto& [name, parameter] : request.parameters()) {
    if (HasNoEffect(name)) continue;
    const bool is_top_k = kind == InferenceModel::Kind::kTags && name == kTopK;
    if (!is_top_k && name != kSampleRate) return UnknownParameter(name, kind);
    std::variant<int64_t, RequestFault> value = ReadInteger(name, parameter);
    if (auto* fault = std::get_if<RequestFault>(&value)) return std::move(*fault);
    const int64_t number = std::get<int64_t>(value);
    if (!is_top_k) {
      read.sample_rate_hz = number;
    } else if (number < 0) {
      return InvalidRequest(PathOf(name), absl::StrCat(number, " is below 0; 0 means all classes"));
    } else {
      read.top_k = static_cast<uint32_t>(std::min<int64_t>(number, UINT32_MAX));
    }
  }
  return read;
}

std::variant<std::vector<std::string_view>, RequestFault> ReadOutputs(const ModelInferRequest& request,
                                                                      InferenceModel::Kind kind) {
  const absl::Span<const std::string_view> all = OutputsOf(kind);
  if (request.outputs().empty()) return std::vector<std::string_view>(all.begin(), all.end());
  std::vector<std::string_view> wanted;
  for (int i = 0; i < request.outputs_size(); ++i) {
    const ModelInferRequest::InferRequestedOutputTensor& output = request.outputs(i);
    const std::string path = absl::StrCat("outputs[", i, "]");
    const auto found = std::find(all.begin(), all.end(), output.name());
    if (found == all.end()) {
      return InvalidRequest(
          path, absl::StrCat(
                    "the model has no output ", Quoted(output.name()), "; it has ",
                    absl::StrJoin(all, " and ", [](std::string* text, std::string_view name) { text->append(name); })));
    }
    if (std::find(wanted.begin(), wanted.end(), *found) != wanted.end()) {
      return InvalidRequest(path, absl::StrCat(output.name(), " is asked for twice"));
    }
    for (const auto& [name, parameter] : output.parameters()) {
      const char* instead = name == "classification"
                                ? "the model <network>.tags answers classes, as many as its parameter top_k says"
                                : "outputs have no parameters here, and no shared memory";
      return InvalidRequest(absl::StrCat(path, ".", PathOf(name)), absl::StrCat("it is not supported: ", instead));
    }
    wanted.push_back(*found);
  }
  return wanted;
}

}  // namespace hearwire
