#include "models/heads/head.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/checkpoint/quote.h"
#include "models/checkpoint/read_file.h"
#include "models/checkpoint/sha256.h"
#include "models/heads/safetensors.h"

namespace hearwire {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{256} << 20;
constexpr size_t kSha256Digits = 64;
constexpr double kMaxLogit = 1e300;

template <typename... What>
absl::Status Wrong(const What&... what) {
  return absl::InvalidArgumentError(absl::StrCat(what...));
}

std::string ShapeText(const std::vector<int64_t>& shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

template <typename Value>
struct Choice {
  const char* text;
  Value value;
};

// Takes a head out of a file, piece by piece. The first failure is kept in status(); what is taken behind it is empty.
class HeadReader {
 public:
  explicit HeadReader(Safetensors file) : file_(std::move(file)) {}

  const absl::Status& status() const { return status_; }

  // A piece of metadata that must be there.
  std::string Text(const char* key, const char* right) {
    const auto found = file_.metadata.find(key);
    if (found != file_.metadata.end()) return found->second;
    Fail("the metadata ", key, " is missing; it must be ", right);
    return "";
  }
  std::string TextOrEmpty(const char* key) const {
    const auto found = file_.metadata.find(key);
    return found == file_.metadata.end() ? "" : found->second;
  }

  template <typename Value>
  Value Choose(const char* key, std::initializer_list<Choice<Value>> choices) {
    const std::string right = absl::StrJoin(choices, " or ", [](std::string* out, const Choice<Value>& choice) {
      absl::StrAppend(out, Quote(choice.text));
    });
    const std::string text = Text(key, right.c_str());
    for (const Choice<Value>& choice : choices) {
      if (choice.text == text) return choice.value;
    }
    Fail("the metadata ", key, " is ", Quote(text), "; it must be ", right);
    return choices.begin()->value;
  }

  std::vector<std::string> Labels();

  bool Has(const std::string& name) const { return file_.tensors.contains(name); }

  // The tensor, which must have `axes` axes, none of them empty, and finite values.
  Tensor Take(const std::string& name, size_t axes);

  // Once everything has been taken: no tensor must be left.
  void ExpectEnd() {
    if (!file_.tensors.empty()) {
      Fail("tensor ", Quote(file_.tensors.begin()->first),
           " is none of a head's; those are mean, scale, 0.weight, 0.bias, 1.weight, …");
    }
  }

  std::map<std::string, std::string, std::less<>> TakeMetadata() { return std::move(file_.metadata); }

  template <typename... What>
  void Fail(const What&... what) {
    if (status_.ok()) status_ = Wrong(what...);
  }

 private:
  Safetensors file_;
  absl::Status status_;
};

// Whether some character of the UTF-8 text controls who shows it: C0 (a newline, an escape), DEL, C1, line and
// paragraph separators, and what turns the direction of reading.
bool HasControls(std::string_view text) {
  const auto at = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; };
  for (size_t i = 0; i < text.size(); ++i) {
    if (at(i) < 0x20 || at(i) == 0x7f) return true;
    if (at(i) == 0xc2 && at(i + 1) < 0xa0) return true;  // U+0080 to U+009F.
    if (at(i) != 0xe2) continue;
    if (at(i + 1) == 0x80 && at(i + 2) >= 0xa8 && at(i + 2) <= 0xae) return true;  // U+2028 to U+202E.
    if (at(i + 1) == 0x81 && at(i + 2) >= 0xa6 && at(i + 2) <= 0xa9) return true;  // U+2066 to U+2069.
  }
  return false;
}

std::vector<std::string> HeadReader::Labels() {
  constexpr char kRight[] = "a JSON list of different texts, [\"cat\", \"dog\"]";
  const std::string text = Text("labels", kRight);
  const nlohmann::json list = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  std::vector<std::string> labels;
  std::set<std::string> seen;
  if (!list.is_array() || list.empty()) {
    Fail("the metadata labels is ", Quote(text), "; it must be ", kRight);
    return {};
  }
  for (const nlohmann::json& label : list) {
    if (!label.is_string() || label.get<std::string>().empty()) {
      Fail("label ", labels.size(), " is ", Quote(label.is_string() ? "" : label.dump()), "; labels must be ", kRight);
      return {};
    }
    labels.push_back(label.get<std::string>());
    if (HasControls(labels.back())) {
      Fail("label ", labels.size() - 1, " is ", Quote(labels.back()),
           ", which has characters that control a terminal or a line; labels must be printable");
    }
    if (!seen.insert(labels.back()).second) Fail("the label ", Quote(labels.back()), " is there twice");
  }
  return labels;
}

Tensor HeadReader::Take(const std::string& name, size_t axes) {
  const auto found = file_.tensors.find(name);
  if (found == file_.tensors.end()) {
    Fail("tensor ", name, " is missing");
    return {};
  }
  Tensor tensor = std::move(found->second);
  file_.tensors.erase(found);
  if (tensor.shape.size() != axes || tensor.values.empty()) {
    Fail("tensor ", name, " has the shape ", ShapeText(tensor.shape), "; it must have ",
         axes == 1 ? "one axis that is" : "two axes that are", " not empty");
  } else if (!std::all_of(tensor.values.begin(), tensor.values.end(), [](float x) { return std::isfinite(x); })) {
    Fail("tensor ", name, " holds a value that is not finite");
  }
  return status_.ok() ? std::move(tensor) : Tensor();
}

void ReadInput(HeadReader& reader, Head* head) {
  if (reader.Has("mean")) {
    const Tensor mean = reader.Take("mean", 1);
    head->mean.assign(mean.values.begin(), mean.values.end());
  }
  if (reader.Has("scale")) {
    const Tensor scale = reader.Take("scale", 1);
    for (const float value : scale.values) {
      if (value <= 0) reader.Fail("tensor scale holds ", value, "; it must be above 0");
      head->inverse_scale.push_back(1.0 / static_cast<double>(value));
    }
  }
  if (head->mean.empty()) head->mean.assign(head->inverse_scale.size(), 0.0);
  if (head->inverse_scale.empty()) head->inverse_scale.assign(head->mean.size(), 1.0);
  if (head->mean.size() != head->inverse_scale.size()) {
    reader.Fail("tensor mean has ", head->mean.size(), " values and tensor scale ", head->inverse_scale.size(),
                "; they must have as many");
  }
}

void ReadLayers(HeadReader& reader, Head* head) {
  size_t inputs = head->mean.size();  // Of the next layer; 0: any.
  for (size_t i = 0; i == 0 || reader.Has(absl::StrCat(i, ".weight")) || reader.Has(absl::StrCat(i, ".bias")); ++i) {
    const std::string weight_name = absl::StrCat(i, ".weight");
    const std::string bias_name = absl::StrCat(i, ".bias");
    Tensor weight = reader.Take(weight_name, 2);
    Tensor bias = reader.Take(bias_name, 1);
    if (!reader.status().ok()) return;
    if (inputs != 0 && weight.shape[1] != static_cast<int64_t>(inputs)) {
      return reader.Fail("tensor ", weight_name, " has the shape ", ShapeText(weight.shape), "; it must be [h, ",
                         inputs, "], as many as ", i == 0 ? "mean or scale" : "the layer before it", " has values");
    }
    if (bias.shape[0] != weight.shape[0]) {
      return reader.Fail("tensor ", bias_name, " has the shape ", ShapeText(bias.shape), "; it must be [",
                         weight.shape[0], "], as many as the rows of ", weight_name);
    }
    inputs = bias.values.size();
    head->layers.push_back({.out_channels = static_cast<int>(weight.shape[0]),
                            .in_channels = static_cast<int>(weight.shape[1]),
                            .weight = std::move(weight.values),
                            .bias = std::move(bias.values)});
  }
}

void ReadOutput(HeadReader& reader, Head* head) {
  head->output =
      reader.Choose<Head::Output>("output", {{"softmax", Head::Output::kSoftmax}, {"sigmoid", Head::Output::kSigmoid}});
  head->labels = reader.Labels();
  if (!reader.status().ok()) return;
  const auto logits = static_cast<size_t>(head->layers.back().out_channels);
  const size_t labels = head->labels.size();
  if (logits == 1 && labels == 2 && head->output == Head::Output::kSigmoid) {
    head->output = Head::Output::kBinarySigmoid;
  } else if (logits != labels) {
    reader.Fail("has ", labels, " labels, and its last layer ", logits,
                " values; there must be as many, or two labels for the sigmoid of one value");
  } else if (labels == 1 && head->output == Head::Output::kSoftmax) {
    reader.Fail("has one label and a softmax, whose score is always 1; it must be a sigmoid, or have more labels");
  }
}

// Scores are finite when every logit is, whatever the embedding: bounds each layer's values by the largest before it.
void CheckBounds(HeadReader& reader, const Head& head) {
  double largest = std::numeric_limits<float>::max();
  if (!head.mean.empty()) {
    double input = 0;
    for (size_t i = 0; i < head.mean.size(); ++i) {
      input = std::max(input, (largest + std::abs(head.mean[i])) * head.inverse_scale[i]);
    }
    largest = input;
  }
  for (const LinearWeights& layer : head.layers) {
    double output = 0;
    for (size_t row = 0; row < layer.bias.size(); ++row) {
      double sum = 0;
      const float* weight = layer.weight.data() + row * static_cast<size_t>(layer.in_channels);
      for (int i = 0; i < layer.in_channels; ++i) sum += std::abs(static_cast<double>(weight[i]));
      output = std::max(output, sum * largest + std::abs(static_cast<double>(layer.bias[row])));
    }
    largest = output;  // No activation makes values larger.
  }
  if (!(largest < kMaxLogit)) {
    reader.Fail("has weights so large, or so many layers, that its scores could overflow (a bound of ", largest, ")");
  }
}

void ReadSpace(HeadReader& reader, Head* head) {
  head->weights_sha256 = reader.Text("weights_sha256", "the SHA-256 of the checkpoint that it was trained with");
  const auto is_digit = [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); };
  if (head->weights_sha256.size() != kSha256Digits ||
      !std::all_of(head->weights_sha256.begin(), head->weights_sha256.end(), is_digit)) {
    reader.Fail("the metadata weights_sha256 is ", Quote(head->weights_sha256), "; it must be ", kSha256Digits,
                " hexadecimal digits in lower case");
  }
  head->frontend = reader.TextOrEmpty("frontend");
  head->precision = reader.TextOrEmpty("precision");
}

}  // namespace

bool IsHeadName(std::string_view name) {
  const auto fits = [](char c) { return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_'; };
  return !name.empty() && name[0] != '.' && std::all_of(name.begin(), name.end(), fits);
}

absl::StatusOr<Head> ParseHead(std::string_view bytes, std::string_view name) {
  absl::StatusOr<Safetensors> file = ParseSafetensors(bytes);
  if (!file.ok()) return file.status();
  HeadReader reader(*std::move(file));
  Head head;
  head.name = std::string(name);
  head.sha256 = Sha256(bytes);
  reader.Choose<int>("format", {{kHeadFormat.data(), 1}});
  head.config = reader.Text("config", "the name of the config whose embeddings it reads");
  head.kind =
      reader.Choose<Head::Kind>("kind", {{"scene", Head::Kind::kScene}, {"timestamps", Head::Kind::kTimestamps}});
  ReadSpace(reader, &head);
  ReadInput(reader, &head);
  ReadLayers(reader, &head);
  if (!reader.status().ok()) return reader.status();
  ReadOutput(reader, &head);
  // One layer needs no activation; but what is said must mean something.
  if (head.layers.size() > 1 || !reader.TextOrEmpty("activation").empty()) {
    head.activation = reader.Choose<Head::Activation>("activation", {{"relu", Head::Activation::kRelu},
                                                                     {"hardswish", Head::Activation::kHardswish},
                                                                     {"gelu", Head::Activation::kGelu}});
  }
  reader.ExpectEnd();
  CheckBounds(reader, head);
  if (!reader.status().ok()) return reader.status();
  head.metadata = reader.TakeMetadata();
  return head;
}

absl::StatusOr<Head> LoadHead(const std::string& path, std::string_view name) {
  const absl::StatusOr<FileBytes> bytes = ReadFile(path, kMaxFileBytes, "a head");
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<Head> head = ParseHead(bytes->view(), name);
  if (!head.ok()) return absl::Status(head.status().code(), absl::StrCat(path, ": ", head.status().message()));
  return head;
}

}  // namespace hearwire
