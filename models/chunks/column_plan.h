// Which numbers of a forward pass are read back for windows with different readouts, and how a row is made of them.
//
// Poolings that have a part in common share it: "mean", "maximum" and "mean plus maximum" of one block read back one
// mean and one maximum. The parts of all windows of a chunk stand side by side as columns.

#ifndef HEARWIRE_MODELS_CHUNKS_COLUMN_PLAN_H_
#define HEARWIRE_MODELS_CHUNKS_COLUMN_PLAN_H_

#include <vector>

#include "absl/types/span.h"
#include "models/configs/feature.h"
#include "models/configs/network_shape.h"

namespace hearwire {

// What becomes of a block's map [channels, mels, time].
enum class Reduction : uint8_t {
  kNone,          // The feature is a vector already.
  kMean,          // [channels]
  kMax,           // [channels]
  kMeanOverTime,  // [channels, mels]
  kMaxOverTime,   // [channels, mels]
};

struct Column {
  Feature feature;
  Reduction reduction;
  int offset;  // Of its first value in a window's columns.
  int size;    // Values.

  friend bool operator==(const Column&, const Column&) = default;
};

class ColumnPlan {
 public:
  // The columns that the readouts need, each once.
  ColumnPlan(const NetworkShape& shape, int mels, absl::Span<const Readout> readouts);

  absl::Span<const Column> columns() const { return columns_; }
  // Of one window, values.
  int width() const { return width_; }
  // Of all readouts together.
  FeatureSet features() const { return features_; }

  // Makes the row of one readout, one of those given, of a window's columns [width]. Returns the row's end.
  float* WriteRow(const Readout& readout, const float* window, float* row) const;

 private:
  const Column& Find(Feature feature, Reduction reduction) const;

  std::vector<Column> columns_;
  int width_ = 0;
  FeatureSet features_;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CHUNKS_COLUMN_PLAN_H_
