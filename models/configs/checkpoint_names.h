// Which file of a folder is a network's checkpoint: one rule for the server and the command.

#ifndef HEARWIRE_MODELS_CONFIGS_CHECKPOINT_NAMES_H_
#define HEARWIRE_MODELS_CONFIGS_CHECKPOINT_NAMES_H_

#include <string>
#include <vector>

#include "models/configs/config.h"

namespace hearwire {

// The names that its file may have, the one first that counts where several are there: the network's own (mn10_as.pt),
// which an operator has given it, before the published one (mn10_as_mAP_471.pt).
inline std::vector<std::string> CheckpointNames(const NetworkInfo& network) {
  std::vector<std::string> names = {std::string(network.name) + ".pt"};
  if (!network.published_file.empty()) names.emplace_back(network.published_file);
  return names;
}

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CONFIGS_CHECKPOINT_NAMES_H_
