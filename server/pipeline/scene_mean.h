// The scene of a clip: the mean of its windows' rows.

#ifndef HEARWIRE_SERVER_PIPELINE_SCENE_MEAN_H_
#define HEARWIRE_SERVER_PIPELINE_SCENE_MEAN_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "server/pipeline/reply_sink.h"

namespace hearwire {

// Takes the rows of one clip's windows in order, in any pieces. Sums in double; holds one row, whatever the clip's
// length. Not thread-safe.
class SceneMean {
 public:
  // rows: the next ones, [count, row_size]. The size is the same in all pieces.
  void Add(absl::Span<const float> rows, int row_size);

  // Of all rows so far: [row_size], a view of this; empty when there are none. That of an only one is it, to the bit.
  absl::Span<const float> Mean();

 private:
  int64_t windows_ = 0;
  std::vector<double> sum_;  // [row_size], from the second row on.
  std::vector<float> row_;   // [row_size]: the first row, then the mean.
};

// Likewise for all clips of a call, in one lane. Holds a row for each clip that has begun and not ended, and one more.
class SceneMeans {
 public:
  SceneMeans(int clips, int row_size) : row_size_(row_size), means_(static_cast<size_t>(clips)) {}

  // Empty until the clip's last rows, then its scene: [row_size], a view of this until the next call.
  absl::Span<const float> Add(const WindowRows& rows);

 private:
  const int row_size_;
  std::vector<SceneMean> means_;
  SceneMean ended_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_SCENE_MEAN_H_
