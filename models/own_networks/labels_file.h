// The labels of a network's classes, in a text file.

#ifndef HEARWIRE_MODELS_OWN_NETWORKS_LABELS_FILE_H_
#define HEARWIRE_MODELS_OWN_NETWORKS_LABELS_FILE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace hearwire {

// One label a line, in the order of the logits. Lines may end as on Windows, and the last needs no end.
// INVALID_ARGUMENT, beginning with the line ("4: …"): a label that is empty, longer than 200 bytes, no UTF-8, has
// control characters, or is there twice; no label at all.
absl::StatusOr<std::vector<std::string>> ParseLabels(std::string_view text);

// Likewise of a file of at most 4 MiB; messages begin with its path. NOT_FOUND and what else the system says when it
// cannot be read.
absl::StatusOr<std::vector<std::string>> LoadLabels(const std::string& path);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_OWN_NETWORKS_LABELS_FILE_H_
