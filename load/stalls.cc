#include "load/stalls.h"

#include <algorithm>

namespace hearwire::load {
namespace {

constexpr absl::Duration kLeastStall = absl::Milliseconds(100);
constexpr int kTimesP99 = 5;

double Share(const Histogram& part, const Histogram& whole, absl::Duration limit) {
  if (whole.count() == 0) return 0;
  return static_cast<double>(part.CountAtMost(limit)) / static_cast<double>(whole.count());
}

}  // namespace

StallRule FindStalls(const Measurement& measurement, const LoadOptions& options) {
  if (options.rate) return {};
  StallRule rule;
  rule.longest_ordinary = std::max(kLeastStall, kTimesP99 * measurement.latency.Quantile(0.99));
  rule.pace = measurement.latency.MeanAtMost(rule.longest_ordinary);
  return rule;
}

DueLatency::DueLatency(const Histogram& made, const StallRule& rule)
    : made_(made), with_missed_(made.WithMissedStarts(rule.pace, rule.longest_ordinary)) {}

absl::Duration DueLatency::Quantile(double share) const {
  const absl::Duration made = made_.Quantile(share);
  return share <= 0.5 ? made : std::max(made, with_missed_.Quantile(share));
}

double DueLatency::ShareWithin(absl::Duration limit, const DueLatency& all) const {
  // As Quantile: what is missing counts above the median only.
  return std::min(Share(made_, all.made_, limit), std::max(0.5, Share(with_missed_, all.with_missed_, limit)));
}

}  // namespace hearwire::load
