// How far a backend's numbers are from the reference's.

#ifndef HEARWIRE_TESTS_GOLDEN_PARITY_H_
#define HEARWIRE_TESTS_GOLDEN_PARITY_H_

#include "absl/status/statusor.h"
#include "tests/golden/golden_cases.h"
#include "tests/golden/serial_pipeline.h"

namespace hearwire {

// The largest errors that are accepted, in float32 and in bfloat16.
inline constexpr double kParityTolerance = 1e-4;
inline constexpr double kBfloat16Tolerance = 5e-2;

struct Parity {
  // The largest absolute difference from the golden values, in units of the largest absolute one of them or 1,
  // whichever is larger.
  double error = 0;
  double cosine = 1;  // Of the angle between all values and the golden ones.
};

// INVALID_ARGUMENT: the sizes differ, or a value is not a number. Other failures: of files or the backend.
absl::StatusOr<Parity> MeasureParity(SerialPipeline& pipeline, const GoldenCase& golden);

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_GOLDEN_PARITY_H_
