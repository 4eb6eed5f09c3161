#include "server/pipeline/scene_mean.h"

#include <cstddef>
#include <utility>

namespace hearwire {

void SceneMean::Add(absl::Span<const float> rows, int row_size) {
  const auto size = static_cast<size_t>(row_size);
  for (; !rows.empty(); rows.remove_prefix(size)) {
    const absl::Span<const float> row = rows.first(size);
    if (++windows_ == 1) {
      // A negative zero would not survive a sum.
      row_.assign(row.begin(), row.end());
      continue;
    }
    if (sum_.empty()) sum_.assign(row_.begin(), row_.end());
    for (size_t i = 0; i < size; ++i) sum_[i] += row[i];
  }
}

absl::Span<const float> SceneMean::Mean() {
  for (size_t i = 0; i < sum_.size(); ++i) row_[i] = static_cast<float>(sum_[i] / static_cast<double>(windows_));
  return row_;
}

absl::Span<const float> SceneMeans::Add(const WindowRows& rows) {
  SceneMean& mean = means_[static_cast<size_t>(rows.clip)];
  mean.Add(rows.rows, row_size_);
  if (!rows.last) return {};
  ended_ = std::exchange(mean, SceneMean());
  return ended_.Mean();
}

}  // namespace hearwire
