// How often each length of time was seen, at a bounded relative error and in bounded memory.

#ifndef HEARWIRE_LOAD_HISTOGRAM_H_
#define HEARWIRE_LOAD_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace hearwire::load {

// Buckets grow with the values: 2^precision_bits of them between a power of two and the next, in nanoseconds. What is
// read is at most 2^-precision_bits (relative) above what was recorded, and never below it. Not thread-safe.
class Histogram {
 public:
  // 8: 0.4 %, 60 kB when full. 5: 3 %, 8 kB.
  explicit Histogram(int precision_bits = 8) : precision_bits_(precision_bits) {}

  // A time below zero counts as zero.
  void Record(absl::Duration value, int64_t count = 1);

  int64_t count() const { return count_; }
  absl::Duration max() const { return absl::Nanoseconds(max_ns_); }
  // Zero when nothing was recorded.
  absl::Duration Mean() const;
  // What at least that share of the values, 0 to 1, does not exceed. Zero when nothing was recorded.
  absl::Duration Quantile(double share) const;
  // How many values are at most `limit`, to the bucket.
  int64_t CountAtMost(absl::Duration limit) const;

  // Of the values that are at most `limit`, to the bucket. Zero when there are none.
  absl::Duration MeanAtMost(absl::Duration limit) const;

  // With the values that a caller would have seen who asks every `interval`, even while a value above `longest` lasts:
  // such a value stands for those that should have started meanwhile and waited for its rest.
  Histogram WithMissedStarts(absl::Duration interval, absl::Duration longest) const;

 private:
  size_t BucketOf(int64_t ns) const;
  int64_t LargestIn(size_t bucket) const;
  // The end of the buckets that CountAtMost counts.
  size_t EndOf(absl::Duration limit) const;

  int precision_bits_;
  std::vector<int64_t> buckets_;  // As long as the largest value needs.
  int64_t count_ = 0;
  int64_t max_ns_ = 0;
  double sum_ns_ = 0;
};

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_HISTOGRAM_H_
