// How fast an embedder runs a network, found by trying.

#ifndef HEARWIRE_SERVER_ENGINES_EMBEDDING_RATE_H_
#define HEARWIRE_SERVER_ENGINES_EMBEDDING_RATE_H_

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "models/configs/config.h"
#include "models/configs/network_shape.h"
#include "models/embedder.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

// What is tried: windows of a network of that shape, which the embedder's backend knows as `network`.
struct RateTrial {
  int network = -1;
  NetworkShape shape = {};
  MelSettings mel = {};
  int window_samples = 0;        // Of each window.
  int64_t max_batch_frames = 0;  // No batch is larger, but for a single window.
  absl::Duration limit;          // A batch is begun only when it should end within it. The first two always are.
  // The batches do not grow any more once preparing for larger ones took so long.
  absl::Duration preparation_limit = absl::Seconds(1);
};

// Windows a second, at the best of the batches tried: one window, then eight times as many each time, up to a full
// batch or what the limits allow, and then that again. No windows share frames, and all logits are computed. The first
// batch of each size does not count: an embedder may prepare itself for it. Takes the limit, the very first batch, and
// the others' preparations at most, or two windows longer. RESOURCE_EXHAUSTED: not even one window fits the device;
// other failures as Embedder::Embed. Call it in the embedder's thread.
absl::StatusOr<double> MeasureEmbeddingRate(Embedder* embedder, const RateTrial& trial,
                                            const std::function<SteadyTime()>& now = SteadyTime::Now);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_ENGINES_EMBEDDING_RATE_H_
