// What stands between loading and SERVING: known sounds must give the known numbers.

#ifndef HEARWIRE_SERVER_PIPELINE_SELF_TEST_H_
#define HEARWIRE_SERVER_PIPELINE_SELF_TEST_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/batching/batcher.h"
#include "server/pipeline/network_catalog.h"

namespace hearwire {

struct SelfTestReport {
  struct Check {
    std::string what;
    double error = 0;  // The largest, relative to the larger of 1 and the expected row's largest value.
  };
  std::vector<Check> checks;
  double tolerance = 0;  // What every error stayed within.

  double LargestError() const;
};

// Through the front end and `batcher`: one short window of every network placed on it, compared with its reference row
// when it has one, and the embedded network's stored sounds, compared with the stored rows. All must be finite. This
// also warms the networks up. INTERNAL: an error larger than the precision allows (1e-4 for "float32", 2e-2 for
// "float16", 5e-2 for "bfloat16"), or a value that is not finite; the message names network, sound and value. Otherwise
// what the batcher said; DEADLINE_EXCEEDED after `limit`. Blocks: not for a worker's thread.
absl::StatusOr<SelfTestReport> RunSelfTest(const NetworkCatalog& networks, std::string_view precision, Batcher* batcher,
                                           absl::Duration limit = absl::Minutes(2));

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_SELF_TEST_H_
