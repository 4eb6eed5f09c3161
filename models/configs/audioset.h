// AudioSet's 527 class names, in the order of the logits.
//
// From the AudioSet ontology (Gemmeke et al. 2017, research.google.com/audioset), made available by Google Inc. under
// the Creative Commons Attribution 4.0 licence.

#ifndef HEARWIRE_MODELS_CONFIGS_AUDIOSET_H_
#define HEARWIRE_MODELS_CONFIGS_AUDIOSET_H_

#include <string_view>

#include "absl/types/span.h"

namespace hearwire {

// Display names such as "Dog"; 527 of them, index = place in the logits.
absl::Span<const std::string_view> AudioSetClassNames();

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CONFIGS_AUDIOSET_H_
