#include <algorithm>
#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "models/native/native_backend.h"
#include "tests/gpu/probe/commands.h"

namespace hearwire {
namespace {

// Larger than what a batch holds on any machine that is measured.
constexpr int kMostFrames = 70000;

absl::StatusOr<Work> Run(Embedder& embedder, const NetworkWeights& weights, int frames, int count,
                         const Readout& readout) {
  Work work = MakeRandomWork(weights, frames, count, readout);
  if (absl::Status status = embedder.Embed(0, work.requests); !status.ok()) return status;
  return work;
}

// Of the first `size` values, in units of the largest of b; infinity where one is not a number.
double Difference(const Work& a, const Work& b, size_t size) {
  double difference = 0, largest = 0;
  for (size_t i = 0; i < size; ++i) {
    const double one = std::abs(double{a.rows[i]} - double{b.rows[i]});
    difference = std::isfinite(one) ? std::max(difference, one) : INFINITY;
    largest = std::max(largest, std::abs(double{b.rows[i]}));
  }
  return difference / largest;
}

}  // namespace

absl::Status MeasureEquality(const Setting& setting, double width, double tolerance) {
  const absl::StatusOr<LoadedNetwork> loaded = LoadRandomNetwork(setting, width);
  if (!loaded.ok()) return loaded.status();
  Setting reference;
  reference.device = "native";
  const absl::StatusOr<LoadedNetwork> native = LoadRandomNetwork(reference, width);
  if (!native.ok()) return native.status();
  const auto embedder = StartEmbedder(setting, width, *loaded);
  if (!embedder.ok()) return embedder.status();
  const auto native_embedder = native->backend->NewEmbedder();
  if (!native_embedder.ok()) return native_embedder.status();

  Readout readout = BodyReadout();
  readout.features.Add(Feature::kLogits);
  const NetworkWeights& weights = *loaded->weights;
  double from_alone = 0, from_itself = 0, from_native = 0;
  int compared = 0, inexact = 0;
  for (const int frames : {16, 101, 1001}) {
    const absl::StatusOr<Work> alone = Run(**embedder, weights, frames, 1, readout);
    if (!alone.ok()) return alone.status();
    const absl::StatusOr<Work> exact = Run(**native_embedder, weights, frames, 1, readout);
    if (!exact.ok()) return exact.status();
    const size_t size = alone->rows.size();
    from_native = std::max(from_native, Difference(*alone, *exact, size));
    for (const int count : {2, 3, 7, 16, 33, 64, 201, 256, 300, 1005}) {
      if (int64_t{1} * count * frames > std::min(kMostFrames, 4 * setting.max_batch_frames)) continue;
      const absl::StatusOr<Work> batch = Run(**embedder, weights, frames, count, readout);
      if (!batch.ok()) return batch.status();
      const absl::StatusOr<Work> again = Run(**embedder, weights, frames, count, readout);
      if (!again.ok()) return again.status();
      from_itself = std::max(from_itself, Difference(*again, *batch, batch->rows.size()));
      // The first window is the one that ran alone.
      const double difference = Difference(*batch, *alone, size);
      from_alone = std::max(from_alone, difference);
      ++compared;
      if (difference != 0) ++inexact;
      std::printf("  frames %4d windows %4d: %.1e from the row alone\n", frames, count, difference);
    }
  }
  std::printf(
      "RESULT equality %s width=%g batches=%d inexact=%d from_alone=%.1e from_itself=%.1e from_native=%.1e "
      "tolerance=%.0e\n",
      ToText(setting).c_str(), width, compared, inexact, from_alone, from_itself, from_native, tolerance);
  if (from_alone > tolerance || from_itself > tolerance) {
    return absl::InternalError("a row depends on the batch that it runs in");
  }
  return absl::OkStatus();
}

}  // namespace hearwire
