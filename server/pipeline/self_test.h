// What stands between loading and SERVING: known sounds must give the known numbers.

#ifndef HEARWIRE_SERVER_PIPELINE_SELF_TEST_H_
#define HEARWIRE_SERVER_PIPELINE_SELF_TEST_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/batching/batcher.h"
#include "server/pipeline/network_catalog.h"

namespace hearwire {

// Runs the embedded network's stored sounds through the front end and the batcher, compares the rows with the stored
// ones, and runs a second of sound through every other network, whose row must be finite. This also warms the networks
// up. Returns the largest error, relative to the larger of 1 and the stored row's largest value. INTERNAL: larger than
// the precision allows (1e-4 for "float32", 2e-2 for others), or not finite; the message names network, sound and
// value. Otherwise what the batcher said; DEADLINE_EXCEEDED after `limit`. Blocks: not for a worker's thread.
absl::StatusOr<double> RunSelfTest(const NetworkCatalog& networks, std::string_view precision, Batcher* batcher,
                                   absl::Duration limit = absl::Minutes(2));

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_SELF_TEST_H_
