#include "tests/golden/parity.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "tests/fixtures/npy.h"
#include "tests/fixtures/sounds.h"

namespace hearwire {
namespace {

absl::StatusOr<std::vector<float>> Clip(const GoldenCase& golden) {
  if (golden.clip_path.empty()) return GoldenSound(golden.clip);
  const absl::StatusOr<Array> array = ReadNpy(golden.clip_path);
  if (!array.ok()) return array.status();
  return array->values;
}

absl::StatusOr<std::vector<float>> Compute(SerialPipeline& pipeline, const GoldenCase& golden) {
  const absl::StatusOr<std::vector<float>> clip = Clip(golden);
  if (!clip.ok()) return clip.status();
  const Config& config = *golden.config;
  switch (golden.kind) {
    case GoldenKind::kScene:
      return pipeline.Scene(golden.checkpoint_path, config, config.readout, *clip);
    case GoldenKind::kTimestamps:
      return pipeline.Timestamps(golden.checkpoint_path, config, *clip);
    case GoldenKind::kLogits:
      break;
  }
  Readout logits;
  logits.features.Add(Feature::kLogits);
  return pipeline.Scene(golden.checkpoint_path, config, logits, *clip);
}

}  // namespace

absl::StatusOr<Parity> MeasureParity(SerialPipeline& pipeline, const GoldenCase& golden) {
  const absl::StatusOr<Array> expected = ReadNpy(golden.expected_path);
  if (!expected.ok()) return expected.status();
  const absl::StatusOr<std::vector<float>> computed = Compute(pipeline, golden);
  if (!computed.ok()) return computed.status();
  if (computed->size() != expected->values.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(computed->size(), " values where ", golden.expected_path, " has ", expected->values.size()));
  }
  double largest = 1;
  double error = 0;
  double products = 0, computed_squares = 0, expected_squares = 0;
  for (size_t i = 0; i < computed->size(); ++i) {
    const double x = (*computed)[i], y = expected->values[i];
    const double difference = std::abs(x - y);
    if (!std::isfinite(difference)) return absl::InvalidArgumentError(absl::StrCat("value ", i, " is not a number"));
    largest = std::max(largest, std::abs(y));
    error = std::max(error, difference);
    products += x * y;
    computed_squares += x * x;
    expected_squares += y * y;
  }
  const double lengths = std::sqrt(computed_squares * expected_squares);
  return Parity{.error = error / largest, .cosine = lengths == 0 ? 1 : products / lengths};
}

}  // namespace hearwire
