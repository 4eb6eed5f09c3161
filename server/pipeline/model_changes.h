// What differs between what was served and what is.

#ifndef HEARWIRE_SERVER_PIPELINE_MODEL_CHANGES_H_
#define HEARWIRE_SERVER_PIPELINE_MODEL_CHANGES_H_

#include <string>
#include <vector>

#include "server/pipeline/served_models.h"

namespace hearwire {

// Names, each in one of these.
struct NameChanges {
  std::vector<std::string> added;
  std::vector<std::string> replaced;
  std::vector<std::string> removed;
  std::vector<std::string> kept;

  bool any() const { return !added.empty() || !replaced.empty() || !removed.empty(); }
};

struct ModelChanges {
  NameChanges networks;
  NameChanges heads;
};

// A network is replaced when another one has its name, a head when its file has other bytes. In the order of the
// catalogs.
ModelChanges CompareModels(const Models& before, const Models& after);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_MODEL_CHANGES_H_
