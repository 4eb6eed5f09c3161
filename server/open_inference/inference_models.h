// The models of the Open Inference Protocol: each config is two, each network one.

#ifndef HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_MODELS_H_
#define HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_MODELS_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/types/span.h"
#include "models/configs/config_catalog.h"
#include "server/open_inference/model_counts.h"
#include "server/pipeline/network_catalog.h"
#include "server/rpc/read_request.h"
#include "server/rpc/request_faults.h"

namespace hearwire {

// Names of inputs, alternatives of one another, and of outputs.
inline constexpr std::string_view kWave = "WAVE";
inline constexpr std::string_view kAudio = "AUDIO";
inline constexpr std::string_view kEmbedding = "EMBEDDING";
inline constexpr std::string_view kTimestamps = "TIMESTAMPS";
inline constexpr std::string_view kScores = "SCORES";
inline constexpr std::string_view kLabels = "LABELS";

inline constexpr std::string_view kModelVersion = "1";

namespace reason {
inline constexpr std::string_view kUnknownModel = "UNKNOWN_MODEL";
}  // namespace reason

struct InferenceModel {
  enum class Kind {
    kScene,       // "<config>.scene"
    kTimestamps,  // "<config>.timestamps"
    kTags,        // "<network>.tags"
  };
  std::string name;
  Kind kind;
  std::shared_ptr<const Config> config;  // Of tags: one of the network's.
  ModelCounts* counts;

  // What metrics and logs know it by: the config's name, of tags the network's.
  std::string_view label() const { return kind == Kind::kTags ? config->network->name : config->name; }
};

// Immutable.
class InferenceModels {
 public:
  // counts_of: where a model of this name is counted; called for each, and what it returns outlives this.
  InferenceModels(const ConfigCatalog& known, const std::function<ModelCounts*(const std::string& name)>& counts_of);

  // The configs' in their order, then the networks'.
  // A copy of one owns what it needs, but for its counts.
  absl::Span<const InferenceModel> models() const { return models_; }

  // Loaded or not. NOT_FOUND, UNKNOWN_MODEL: there is none of that name (the nearest are given), or not of that
  // version.
  std::variant<const InferenceModel*, RequestFault> Find(std::string_view name, std::string_view version) const;

 private:
  std::vector<InferenceModel> models_;
};

// What a call of the model reads, as ReadConfig and ReadNetwork have it. FAILED_PRECONDITION when it is not loaded.
std::variant<ServedConfig, RequestFault> ReadServed(const InferenceModel& model, const NetworkCatalog& networks);

// Of a call: in the order of the protocol's metadata.
absl::Span<const std::string_view> OutputsOf(InferenceModel::Kind kind);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_MODELS_H_
