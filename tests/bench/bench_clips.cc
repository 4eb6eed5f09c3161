#include "tests/bench/bench_clips.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace hearwire {
namespace {

constexpr size_t kRate = 32000;
constexpr double kMixedSeconds[] = {0.5, 1, 1.5, 2, 3, 4, 5, 10};

}  // namespace

BenchClips MakeBenchClips(const std::string& name, absl::Span<const float> sound) {
  BenchClips made;
  const auto add = [&](double seconds, size_t start) {
    made.clips.push_back(sound.subspan(start, static_cast<size_t>(seconds * kRate)));
  };
  if (name == "timestamps10" || name == "scene10") {
    add(10, 0);
  } else if (name == "timestamps60" || name == "scene60") {
    add(60, 0);
  } else if (name == "scene600") {
    add(600, 0);
  } else if (name == "scene1") {
    add(1, 0);
  } else if (name == "scenes16" || name == "timestamps10x16") {
    for (size_t i = 0; i < 16; ++i) add(10, i * kRate);
  } else if (name == "mixed64") {
    for (size_t i = 0; i < 64; ++i) add(kMixedSeconds[i % 8], i * kRate / 2);
  } else {
    std::fprintf(stderr, "no workload is called %s\n", name.c_str());
    std::exit(1);
  }
  made.timestamps = name.rfind("timestamps", 0) == 0;
  return made;
}

ClipWindows MakeWindows(const BenchClips& clips, absl::Span<const float> clip) {
  const MelSettings mel;
  absl::StatusOr<ClipWindows> windows =
      clips.timestamps ? MakeTimestampWindows(clip, 5120, mel) : MakeSceneWindows(clip, mel);
  if (!windows.ok()) std::abort();
  return *std::move(windows);
}

}  // namespace hearwire
