// Heads: small classifiers on the embeddings of one config, each read from one safetensors file.
//
// Tensors: "mean" [d] and "scale" [d] (either may be left out), then layers "0.weight" [h, d], "0.bias" [h],
// "1.weight", … Metadata: format ("hearwire.head.v1"), config, kind ("scene" or "timestamps"), weights_sha256, frontend
// and precision (the last two may be left out), activation ("relu", "hardswish" or "gelu", between layers: one layer
// needs none), output ("softmax" or "sigmoid"), labels (a JSON list of strings), and whatever else its maker says.

#ifndef HEARWIRE_MODELS_HEADS_HEAD_H_
#define HEARWIRE_MODELS_HEADS_HEAD_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "models/checkpoint/network_weights.h"

namespace hearwire {

inline constexpr std::string_view kHeadFormat = "hearwire.head.v1";

// Immutable once read.
struct Head {
  enum class Kind { kScene, kTimestamps };
  enum class Activation { kRelu, kHardswish, kGelu };
  enum class Output {
    kSoftmax,        // Of as many logits as labels.
    kSigmoid,        // Of each logit: labels do not exclude each other.
    kBinarySigmoid,  // One logit, two labels: the sigmoid is the second's score, and what is left the first's.
  };

  std::string name;
  std::string config;  // Whose embeddings it reads.
  Kind kind = Kind::kScene;
  std::vector<std::string> labels;
  Output output = Output::kSoftmax;
  Activation activation = Activation::kRelu;
  // The input is (x - mean) x inverse_scale; both [d], or both empty.
  std::vector<double> mean;
  std::vector<double> inverse_scale;
  std::vector<LinearWeights> layers;  // At least one.
  // The space of the embeddings that it was trained on; empty: its maker did not say.
  std::string weights_sha256;  // Never empty.
  std::string frontend;
  std::string precision;
  std::string sha256;  // Of the head's file, lower-case hexadecimal.
  std::map<std::string, std::string, std::less<>> metadata;

  int embedding_size() const { return layers.front().in_channels; }
  bool multi_label() const { return output == Output::kSigmoid; }
};

// Of letters, digits, dots, dashes and underscores; no dot first.
bool IsHeadName(std::string_view name);

// Reads a head from memory. INVALID_ARGUMENT says what is wrong and what would be right: as ParseSafetensors; a piece
// of metadata that is missing or not known; labels that are no list of different printable texts, or not as many as
// logits; a tensor that is missing, not known, of another shape than the others want, or not finite; a scale that is
// not above 0; weights so large that scores could overflow.
absl::StatusOr<Head> ParseHead(std::string_view bytes, std::string_view name);

// Reads a head's file, at most 256 MiB. As ReadFile and ParseHead; messages begin with the path.
absl::StatusOr<Head> LoadHead(const std::string& path, std::string_view name);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_HEADS_HEAD_H_
