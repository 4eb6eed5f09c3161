#include "server/pipeline/clip_rows.h"

#include <cmath>

namespace hearwire {

ClipRows::ClipRows(CallKind kind, int row_size) : kind_(kind), row_size_(static_cast<size_t>(row_size)) {}

absl::Span<const float> ClipRows::Add(absl::Span<const float> window_rows, bool last) {
  if (kind_ == CallKind::kTimestamps) return window_rows;
  // Most clips have one window, whose row is the clip's to the bit: a negative zero would not survive a sum.
  const bool only_one = windows_ == 0 && last && window_rows.size() == row_size_;
  if (only_one) {
    row_.assign(window_rows.begin(), window_rows.end());
  } else {
    sum_.resize(row_size_);
    for (; !window_rows.empty(); window_rows.remove_prefix(row_size_)) {
      for (size_t i = 0; i < row_size_; ++i) sum_[i] += window_rows[i];
      ++windows_;
    }
    if (!last) return {};
    row_.resize(row_size_);
    for (size_t i = 0; i < row_size_; ++i) row_[i] = static_cast<float>(sum_[i] / static_cast<double>(windows_));
  }
  if (kind_ == CallKind::kTags) {
    for (float& value : row_) value = static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(value))));
  }
  return row_;
}

}  // namespace hearwire
