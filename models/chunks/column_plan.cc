#include "models/chunks/column_plan.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace hearwire {
namespace {

// A block's parts under a pooling; the second is kNone where there is one part only.
struct Parts {
  Reduction first;
  Reduction second = Reduction::kNone;
  bool sum = false;  // The parts are added, else they follow one another.
};

Parts PartsOf(Feature feature, Pooling pooling) {
  if (feature < Feature::kBlock0) return {Reduction::kNone};
  switch (pooling) {
    case Pooling::kAvgCh:
      return {Reduction::kMean};
    case Pooling::kMaxCh:
      return {Reduction::kMax};
    case Pooling::kAddAvgMaxCh:
      return {Reduction::kMean, Reduction::kMax, /*sum=*/true};
    case Pooling::kCatAvgMaxCh:
      return {Reduction::kMean, Reduction::kMax};
    case Pooling::kAvgTime:
      return {Reduction::kMeanOverTime};
    case Pooling::kAvgMaxTime:
      return {Reduction::kMeanOverTime, Reduction::kMaxOverTime, /*sum=*/true};
  }
  std::abort();
}

bool OverTime(Reduction reduction) {
  return reduction == Reduction::kMeanOverTime || reduction == Reduction::kMaxOverTime;
}

template <typename Visitor>
void ForEachFeature(FeatureSet features, Visitor visit) {
  for (int i = 0; i < static_cast<int>(Feature::kEnd); ++i) {
    if (features.Has(static_cast<Feature>(i))) visit(static_cast<Feature>(i));
  }
}

}  // namespace

ColumnPlan::ColumnPlan(const NetworkShape& shape, int mels, absl::Span<const Readout> readouts) {
  const auto add = [&](Feature feature, Reduction reduction) {
    const bool there = std::any_of(columns_.begin(), columns_.end(), [&](const Column& column) {
      return column.feature == feature && column.reduction == reduction;
    });
    if (there) return;
    const int size = FeatureSize(shape, mels, feature, OverTime(reduction) ? Pooling::kAvgTime : Pooling::kAvgCh);
    columns_.push_back({feature, reduction, width_, size});
    width_ += size;
  };
  for (const Readout& readout : readouts) {
    features_ = features_ | readout.features;
    ForEachFeature(readout.features, [&](Feature feature) {
      const Parts parts = PartsOf(feature, readout.pooling);
      add(feature, parts.first);
      if (parts.second != Reduction::kNone) add(feature, parts.second);
    });
  }
}

const Column& ColumnPlan::Find(Feature feature, Reduction reduction) const {
  for (const Column& column : columns_) {
    if (column.feature == feature && column.reduction == reduction) return column;
  }
  std::abort();  // A readout that the plan was not made for.
}

float* ColumnPlan::WriteRow(const Readout& readout, const float* window, float* row) const {
  ForEachFeature(readout.features, [&](Feature feature) {
    const Parts parts = PartsOf(feature, readout.pooling);
    const Column& first = Find(feature, parts.first);
    float* const begin = row;
    row = std::copy_n(window + first.offset, first.size, row);
    if (parts.second == Reduction::kNone) return;
    const float* second = window + Find(feature, parts.second).offset;
    if (!parts.sum) {
      row = std::copy_n(second, first.size, row);
      return;
    }
    for (int i = 0; i < first.size; ++i) begin[i] += second[i];
  });
  return row;
}

}  // namespace hearwire
