#include "load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace hearwire::load {
namespace {

// Of one value that stands for several: more would say nothing new and take long.
constexpr int64_t kMostMissedStarts = 4096;

}  // namespace

size_t Histogram::BucketOf(int64_t ns) const {
  const auto value = static_cast<uint64_t>(ns);
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - 1 - precision_bits_);
  return (static_cast<size_t>(shift) << precision_bits_) + static_cast<size_t>(value >> shift);
}

int64_t Histogram::LargestIn(size_t bucket) const {
  const size_t group = bucket >> precision_bits_;
  if (group <= 1) return static_cast<int64_t>(bucket);
  const size_t shift = group - 1;
  const uint64_t mantissa = bucket - (shift << precision_bits_);
  return static_cast<int64_t>(((mantissa + 1) << shift) - 1);
}

void Histogram::Record(absl::Duration value, int64_t count) {
  const int64_t ns = std::max<int64_t>(0, absl::ToInt64Nanoseconds(value));
  const size_t bucket = BucketOf(ns);
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  buckets_[bucket] += count;
  count_ += count;
  max_ns_ = std::max(max_ns_, ns);
  sum_ns_ += static_cast<double>(ns) * static_cast<double>(count);
}

absl::Duration Histogram::Mean() const {
  return count_ == 0 ? absl::ZeroDuration() : absl::Nanoseconds(sum_ns_ / static_cast<double>(count_));
}

absl::Duration Histogram::Quantile(double share) const {
  const auto wanted = std::max<int64_t>(1, static_cast<int64_t>(std::ceil(share * static_cast<double>(count_))));
  int64_t seen = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted) return absl::Nanoseconds(std::min(LargestIn(bucket), max_ns_));
  }
  return max();
}

size_t Histogram::EndOf(absl::Duration limit) const {
  if (limit < absl::ZeroDuration()) return 0;
  return std::min(buckets_.size(), BucketOf(absl::ToInt64Nanoseconds(limit)) + 1);
}

int64_t Histogram::CountAtMost(absl::Duration limit) const {
  int64_t count = 0;
  for (size_t bucket = 0, end = EndOf(limit); bucket < end; ++bucket) count += buckets_[bucket];
  return count;
}

absl::Duration Histogram::MeanAtMost(absl::Duration limit) const {
  int64_t count = 0;
  double sum_ns = 0;
  for (size_t bucket = 0, end = EndOf(limit); bucket < end; ++bucket) {
    count += buckets_[bucket];
    sum_ns += static_cast<double>(buckets_[bucket]) * static_cast<double>(std::min(LargestIn(bucket), max_ns_));
  }
  return count == 0 ? absl::ZeroDuration() : absl::Nanoseconds(sum_ns / static_cast<double>(count));
}

Histogram Histogram::WithMissedStarts(absl::Duration interval, absl::Duration longest) const {
  Histogram all = *this;
  const int64_t interval_ns = absl::ToInt64Nanoseconds(interval);
  if (interval_ns <= 0) return all;
  for (size_t bucket = EndOf(longest); bucket < buckets_.size(); ++bucket) {
    const int64_t value_ns = std::min(LargestIn(bucket), max_ns_);
    const int64_t missed = value_ns / interval_ns - 1;
    if (buckets_[bucket] == 0 || missed < 1) continue;
    const int64_t steps = std::min(missed, kMostMissedStarts);
    for (int64_t step = 1, done = 0; step <= steps; ++step) {
      const auto reached =
          static_cast<int64_t>(static_cast<double>(missed) * static_cast<double>(step) / static_cast<double>(steps));
      all.Record(absl::Nanoseconds(value_ns - reached * interval_ns), (reached - done) * buckets_[bucket]);
      done = reached;
    }
  }
  return all;
}

}  // namespace hearwire::load
