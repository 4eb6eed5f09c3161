// What gpu_probe does, a function for each command. They print their findings to standard output, in lines that begin
// with RESULT and hold pairs name=value; lines for readers alone are indented.
//
// A status that is not OK fails the run: something could not be run, or a number is not what it must be. It says which.

#ifndef HEARWIRE_TESTS_GPU_PROBE_COMMANDS_H_
#define HEARWIRE_TESTS_GPU_PROBE_COMMANDS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/gpu/probe/setting.h"
#include "tests/gpu/probe/work.h"

namespace hearwire {

// Goldens against the reference: those of HEARWIRE_SHARED, and of the default network in `committed`, a copy of
// tests/golden; empty: the repository's. Cases whose files are absent are counted and left out. name_part: only configs
// whose name holds it; empty: all.
// Fails when an error is over `tolerance`, a case cannot be run, or there is none.
absl::Status MeasureParity(const Setting& setting, double tolerance, const std::string& name_part,
                           const std::string& committed);

// Rows of windows alone, in batches of several sizes, and again; and those of the native backend. Fails when a row in
// a batch is further than `tolerance` from the same row alone, in units of the row's largest value.
absl::Status MeasureEquality(const Setting& setting, double width, double tolerance);

// Rates. Each amount is run for `seconds` by every one of `workers` threads at once. Fails when the rows after that are
// not those of the first call (CheckReversed), by more than 1e-4 of the largest value; 1e-2 in float16.
absl::Status MeasureSpeed(const Setting& setting, double width, int workers, double seconds,
                          const std::vector<Amount>& amounts);

// Scenes of `count` different lengths, one a call, three times over: what a length costs when it is new.
absl::Status MeasureLengths(const Setting& setting, double width, int count);

// Batches of random sizes and lengths for `seconds`; the process' memory at the start and the end.
absl::Status Soak(const Setting& setting, double width, double seconds);

// Makes the CUDA context of this process unusable (break_device.h) between two batches. Fails unless the next batches
// say UNAVAILABLE.
absl::Status LoseDevice(const Setting& setting, double width);

// Each launch of the backend cuda's forward pass by itself: its time, the bytes that it must move, and the
// multiplications that it must make. cuts: every way to cut each product, with the fastest.
absl::Status MeasureLaunches(double width, int frames, int windows, bool cuts);

// A checkpoint of random weights, to be served.
absl::Status WriteCheckpoint(double width, const std::string& path);

// The folded weights of the network of random weights of that width (network_file.h), then `windows` windows of
// `frames` frames as check.windows [windows, frames, mels] and the native backend's rows for them, check.rows [windows,
// values].
absl::Status WriteNetworkToCheck(double width, int frames, int windows, const std::string& path);

// The same of a checkpoint, with the windows of a clip, an .npy file of samples.
absl::Status WriteCheckpointToCheck(const std::string& checkpoint, const std::string& clip, const std::string& path);

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_GPU_PROBE_COMMANDS_H_
