// The window on which a backend's numbers are compared with those of another one.

#ifndef HEARWIRE_SERVER_PIPELINE_SELF_TEST_WINDOW_H_
#define HEARWIRE_SERVER_PIPELINE_SELF_TEST_WINDOW_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "models/checkpoint/network_weights.h"
#include "models/configs/config.h"
#include "models/embedder.h"
#include "models/log_mel/clip_windows.h"

namespace hearwire {

// One short window of a built-in sound: `windows` has a single entry.
absl::StatusOr<ClipWindows> MakeSelfTestWindow(const MelSettings& mel);

// Block outputs from all over the network, and the logits.
Readout SelfTestReadout();

// What `backend`, which has no network yet, computes for that window: the numbers for others to come close to.
absl::StatusOr<std::vector<float>> ComputeReferenceRow(const std::shared_ptr<const NetworkWeights>& weights,
                                                       const MelSettings& mel, Backend* backend);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_SELF_TEST_WINDOW_H_
