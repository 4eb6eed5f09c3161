// What the embedded network answers for two short built-in sounds: compared with what a backend computes before it
// serves, so that a broken build or processor is noticed.

#ifndef HEARWIRE_MODELS_WEIGHTS_SELF_TEST_VECTORS_H_
#define HEARWIRE_MODELS_WEIGHTS_SELF_TEST_VECTORS_H_

#include <string_view>
#include <vector>

#include "absl/types/span.h"

namespace hearwire {

struct SelfTestVector {
  std::string_view sound;                   // "chirp_1s"
  std::vector<float> clip;                  // The sound's samples at kSampleRateHz.
  absl::Span<const float> scene_embedding;  // Of kEmbeddedConfigName, [184].
  absl::Span<const float> logits;           // Of the scene, [527].
};

// Computed by the reference in float32. A sound backend comes within kSelfTestTolerance times the larger of 1 and the
// vector's largest absolute value.
inline constexpr float kSelfTestTolerance = 1e-4f;
std::vector<SelfTestVector> SelfTestVectors();

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_WEIGHTS_SELF_TEST_VECTORS_H_
