// Some rows of a map, which move on as more are computed.

#ifndef HEARWIRE_MODELS_NATIVE_ROLLING_ROWS_H_
#define HEARWIRE_MODELS_NATIVE_ROLLING_ROWS_H_

#include <cstddef>
#include <cstring>

#include "models/native/aligned_floats.h"

namespace hearwire {

// Rows [first, end) of a map. What allocates is Start alone.
class RollingRows {
 public:
  // For a new map, of which no more than most_rows are held at once. No row is there yet.
  void Start(size_t row_floats, int most_rows) {
    row_floats_ = row_floats;
    rows_.Reserve(row_floats * static_cast<size_t>(most_rows));
    first_ = 0;
    end_ = 0;
  }

  // Forgets the rows before `first` and goes on to `end`; neither goes back. Returns where the rows that are new stand:
  // from the old end() or, where nothing is kept, from `first` on.
  float* Advance(int first, int end) {
    const int kept = end_ > first ? end_ - first : 0;
    const size_t kept_floats = static_cast<size_t>(kept) * row_floats_;
    if (kept > 0) {
      std::memmove(rows_.data(), rows_.data() + static_cast<size_t>(first - first_) * row_floats_,
                   kept_floats * sizeof(float));
    }
    first_ = first;
    end_ = end;
    return rows_.data() + kept_floats;
  }

  int first() const { return first_; }
  int end() const { return end_; }
  // A row that is held.
  const float* row(int index) const { return rows_.data() + static_cast<size_t>(index - first_) * row_floats_; }

 private:
  AlignedFloats rows_;
  size_t row_floats_ = 0;
  int first_ = 0;
  int end_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_NATIVE_ROLLING_ROWS_H_
