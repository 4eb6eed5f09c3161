// From the rows of a clip's windows to the clip's rows in the reply.

#ifndef HEARWIRE_SERVER_PIPELINE_CLIP_ROWS_H_
#define HEARWIRE_SERVER_PIPELINE_CLIP_ROWS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "server/pipeline/call.h"

namespace hearwire {

// Takes the rows of one clip's windows in order, in any pieces. kTimestamps: they are the clip's rows. kScene: their
// mean, summed in double, is the clip's only row. kTags: the sigmoid of that mean. Holds one row, whatever the clip's
// length. Not thread-safe.
class ClipRows {
 public:
  ClipRows(CallKind kind, int row_size);

  // window_rows: the next ones, [count, row_size], at least one in all. last: none follow. Returns the clip's rows that
  // are known by these, [count, row_size]: a view of window_rows, or of this until it is destroyed.
  absl::Span<const float> Add(absl::Span<const float> window_rows, bool last);

 private:
  const CallKind kind_;
  const size_t row_size_;
  int64_t windows_ = 0;
  std::vector<double> sum_;  // [row_size]; empty for timestamps.
  std::vector<float> row_;   // [row_size], when it is known.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_CLIP_ROWS_H_
