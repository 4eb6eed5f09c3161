// What the comparison runs: clips cut from one sound, as calls of windows.

#ifndef HEARWIRE_TESTS_BENCH_BENCH_CLIPS_H_
#define HEARWIRE_TESTS_BENCH_BENCH_CLIPS_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "models/log_mel/clip_windows.h"

namespace hearwire {

struct BenchClips {
  bool timestamps = false;                     // Else scenes.
  std::vector<absl::Span<const float>> clips;  // Into the sound.
};

// name: "timestamps10" (one clip of 10 s), "scene10", "scene1", "mixed64" (64 clips of eight lengths from 0.5 to 10 s),
// "scenes16" and "timestamps10x16" (16 of 10 s), "timestamps60". sound: 60 s. An unknown name ends the program.
BenchClips MakeBenchClips(const std::string& name, absl::Span<const float> sound);

ClipWindows MakeWindows(const BenchClips& clips, absl::Span<const float> clip);

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_BENCH_BENCH_CLIPS_H_
