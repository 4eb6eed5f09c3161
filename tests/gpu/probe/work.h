// Windows with a place for their rows: what a command gives to an embedder.

#ifndef HEARWIRE_TESTS_GPU_PROBE_WORK_H_
#define HEARWIRE_TESTS_GPU_PROBE_WORK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/embedder.h"
#include "models/log_mel/clip_windows.h"
#include "tests/fixtures/random_network.h"

namespace hearwire {

// Blocks 5, 11, 13 and 15, averaged over mels and time: what most configs read.
Readout BodyReadout();

// How much to run at once, as it is written on the command line: "timestamps:16".
struct Amount {
  std::string kind;  // "windows": of 16 frames, which share none; "timestamps": those of clips of 10 s, which share
                     // frames; "scene1", "scene10": one window a clip of 1 s or 10 s.
  int count = 0;     // Windows or clips.
};

// INVALID_ARGUMENT: it is no such text; the message says what would be right.
absl::StatusOr<Amount> ParseAmount(const std::string& text);

// Movable: requests stay valid.
struct Work {
  std::vector<RandomWindow> random;  // The frames of the windows, these
  std::vector<ClipWindows> clips;    // or those.
  std::vector<Readout> readouts;     // Of every window; one.
  std::vector<float> rows;           // One after the other; not a number until Embed writes them.
  std::vector<WindowRequest> requests;

  // INTERNAL: a value of the rows is not finite.
  absl::Status CheckRows() const;
};

// Runs network 0 on the work again, its windows in the reverse order, and looks whether each has its row of before:
// `rows`, as Work::rows. What an embedder keeps from one batch to the next, such as a recorded graph, shows so when it
// answers with other windows than these. Of one window alone nothing shows but that its row is the same. INTERNAL: a
// value is further than `tolerance` from before, in units of the largest value. Other failures: of the embedder.
absl::Status CheckReversed(Embedder& embedder, Work& work, absl::Span<const float> rows, double tolerance);

// `count` windows of `frames` frames. At most 512 different ones, the rest are these again.
Work MakeRandomWork(const NetworkWeights& weights, int frames, int count, const Readout& readout, uint32_t seed = 1);

// Clips are noise. At most 4 different ones, the rest are these again.
absl::StatusOr<Work> MakeWork(const NetworkWeights& weights, const Amount& amount);

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_GPU_PROBE_WORK_H_
