#include "server/open_inference/current_models.h"

#include <utility>

namespace hearwire {

CurrentModels::Seen CurrentModels::Get() {
  Seen seen = {.served = served_->Get(), .models = nullptr};
  const std::shared_ptr<const ConfigCatalog>& known = seen.served->networks.known();
  MutexLock lock(&mu_);
  if (known_ != known) {
    auto* const counts = &counts_;  // The lock is held where the function is called, which the analysis does not see.
    models_ =
        std::make_shared<const InferenceModels>(*known, [=](const std::string& name) { return &(*counts)[name]; });
    known_ = known;
  }
  seen.models = models_;
  return seen;
}

}  // namespace hearwire
