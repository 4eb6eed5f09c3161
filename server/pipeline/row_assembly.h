// From the rows of windows to the rows of a call.

#ifndef HEARWIRE_SERVER_PIPELINE_ROW_ASSEMBLY_H_
#define HEARWIRE_SERVER_PIPELINE_ROW_ASSEMBLY_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "server/pipeline/call.h"

namespace hearwire {

// window_rows: [sum of windows_per_clip, row_size], clip after clip. kScene: the mean of each clip's rows, summed in
// double; kTags: its sigmoid; kTimestamps: the rows as they are.
CallResult AssembleRows(CallKind kind, std::vector<float> window_rows, const std::vector<int64_t>& windows_per_clip,
                        int row_size);

// The first clip of window_rows that holds a value that is not finite.
std::optional<int> FirstClipNotFinite(absl::Span<const float> window_rows, const std::vector<int64_t>& windows_per_clip,
                                      int row_size);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_ROW_ASSEMBLY_H_
