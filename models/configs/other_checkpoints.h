// Published checkpoints that no published config reads: a server takes them where its configs.json names them.

#ifndef HEARWIRE_MODELS_CONFIGS_OTHER_CHECKPOINTS_H_
#define HEARWIRE_MODELS_CONFIGS_OTHER_CHECKPOINTS_H_

#include "absl/types/span.h"
#include "models/configs/config.h"

namespace hearwire {

// EfficientAT's MobileNetV3 networks on AudioSet that Networks() has not, under names that are theirs here.
//
// Those of other strides (mn10_as_fc_s2221, mn10_as_fc_s2211) are left out: nothing in a checkpoint tells its strides,
// and Hearwire computes with those of the others.
absl::Span<const NetworkInfo> OtherCheckpoints();

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CONFIGS_OTHER_CHECKPOINTS_H_
