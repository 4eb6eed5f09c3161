#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>

#include "tests/gpu/probe/commands.h"
#include "tests/gpu/probe/memory.h"

namespace hearwire {

absl::Status Soak(const Setting& setting, double width, double seconds) {
  const absl::StatusOr<LoadedNetwork> loaded = LoadRandomNetwork(setting, width);
  if (!loaded.ok()) return loaded.status();
  const auto embedder = StartEmbedder(setting, width, *loaded);
  if (!embedder.ok()) return embedder.status();
  std::mt19937 random(1);
  const auto start = std::chrono::steady_clock::now();
  const auto since = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  long calls = 0, windows = 0, early_mib = 0;
  double next = 0;
  while (since() < seconds) {
    // Three of four batches hold windows of timestamps, the others scenes of one length.
    const int frames = random() % 4 != 0 ? 16 : 30 + static_cast<int>(random() % 970);
    const int most = std::max(1, 2 * setting.max_batch_frames / frames);
    const int count = 1 + static_cast<int>(random() % static_cast<unsigned>(most));
    Work work = MakeRandomWork(*loaded->weights, frames, count, BodyReadout());
    if (absl::Status status = (*embedder)->Embed(0, work.requests); !status.ok()) return status;
    if (absl::Status status = work.CheckRows(); !status.ok()) return status;
    ++calls;
    windows += count;
    if (since() < next) continue;
    std::printf("  %5.1f s: %ld calls, %ld windows, resident %ld MiB\n", since(), calls, windows, ResidentMib());
    // The first tenth may still build what stays.
    if (since() >= seconds / 10 && early_mib == 0) early_mib = ResidentMib();
    next = since() + seconds / 12;
  }
  std::printf("RESULT soak %s width=%g seconds=%.0f calls=%ld windows=%ld early_mib=%ld resident_mib=%ld\n",
              ToText(setting).c_str(), width, since(), calls, windows, early_mib, ResidentMib());
  return absl::OkStatus();
}

}  // namespace hearwire
