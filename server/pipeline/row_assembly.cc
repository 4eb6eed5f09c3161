#include "server/pipeline/row_assembly.h"

#include <cmath>
#include <utility>

#include "server/audio/non_finite.h"

namespace hearwire {
namespace {

// Rows of long clips become their mean, in place: a clip's mean is never behind its first row.
void AverageWindows(std::vector<float>* rows, const std::vector<int64_t>& windows_per_clip, int row_size) {
  std::vector<double> sum(row_size);
  const float* from = rows->data();
  float* to = rows->data();
  for (const int64_t windows : windows_per_clip) {
    if (windows == 1) {
      if (from != to) std::copy(from, from + row_size, to);
      from += row_size;
    } else {
      std::fill(sum.begin(), sum.end(), 0.0);
      for (int64_t window = 0; window < windows; ++window, from += row_size) {
        for (int i = 0; i < row_size; ++i) sum[i] += from[i];
      }
      for (int i = 0; i < row_size; ++i) to[i] = static_cast<float>(sum[i] / static_cast<double>(windows));
    }
    to += row_size;
  }
  rows->resize(static_cast<size_t>(to - rows->data()));
}

}  // namespace

CallResult AssembleRows(CallKind kind, std::vector<float> window_rows, const std::vector<int64_t>& windows_per_clip,
                        int row_size) {
  CallResult result{.row_size = row_size, .rows_per_clip = windows_per_clip, .rows = std::move(window_rows)};
  if (kind == CallKind::kTimestamps) return result;
  AverageWindows(&result.rows, windows_per_clip, row_size);
  result.rows_per_clip.assign(windows_per_clip.size(), 1);
  if (kind == CallKind::kTags) {
    for (float& value : result.rows) value = static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(value))));
  }
  return result;
}

std::optional<int> FirstClipNotFinite(absl::Span<const float> window_rows, const std::vector<int64_t>& windows_per_clip,
                                      int row_size) {
  const int64_t bad = FindNonFinite(window_rows);
  if (bad < 0) return std::nullopt;
  int clip = 0;
  for (int64_t end = windows_per_clip[0] * row_size; end <= bad; end += windows_per_clip[clip] * row_size) ++clip;
  return clip;
}

}  // namespace hearwire
