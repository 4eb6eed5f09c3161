// The protocol's models of what is served now.

#ifndef HEARWIRE_SERVER_OPEN_INFERENCE_CURRENT_MODELS_H_
#define HEARWIRE_SERVER_OPEN_INFERENCE_CURRENT_MODELS_H_

#include <map>
#include <memory>
#include <string>

#include "models/configs/config_catalog.h"
#include "server/concurrency/mutex.h"
#include "server/open_inference/inference_models.h"
#include "server/open_inference/model_counts.h"
#include "server/pipeline/served_models.h"

namespace hearwire {

// Makes them anew when a reload has changed which configs there are. What was counted of a name stays. Thread-safe.
class CurrentModels {
 public:
  // served outlives this.
  explicit CurrentModels(const ServedModels* served) : served_(served) {}

  struct Seen {
    std::shared_ptr<const Models> served;
    std::shared_ptr<const InferenceModels> models;  // Of all that is known there.
  };
  Seen Get();

 private:
  const ServedModels* const served_;

  Mutex mu_;
  std::shared_ptr<const ConfigCatalog> known_ ABSL_GUARDED_BY(mu_);  // Whose models they are.
  std::shared_ptr<const InferenceModels> models_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, ModelCounts> counts_ ABSL_GUARDED_BY(mu_);  // By a model's name. None is ever taken out.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_OPEN_INFERENCE_CURRENT_MODELS_H_
