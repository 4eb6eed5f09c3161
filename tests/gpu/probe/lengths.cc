#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "tests/gpu/probe/commands.h"
#include "tests/gpu/probe/memory.h"

namespace hearwire {

absl::Status MeasureLengths(const Setting& setting, double width, int count) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const absl::StatusOr<LoadedNetwork> loaded = LoadRandomNetwork(setting, width);
  if (!loaded.ok()) return loaded.status();
  const auto embedder = StartEmbedder(setting, width, *loaded);
  if (!embedder.ok()) return embedder.status();
  std::vector<Work> works;
  for (int i = 0; i < count; ++i) {
    works.push_back(MakeRandomWork(*loaded->weights, 40 + i * 900 / count, 1, BodyReadout(), static_cast<uint32_t>(i)));
  }
  for (const int round : {1, 2, 3}) {
    std::vector<double> times;
    const auto start = Clock::now();
    for (Work& work : works) {
      const auto one = Clock::now();
      if (absl::Status status = (*embedder)->Embed(0, work.requests); !status.ok()) return status;
      times.push_back(since(one));
    }
    const double seconds = since(start);
    std::sort(times.begin(), times.end());
    std::printf(
        "RESULT lengths %s width=%g lengths=%d round=%d median_ms=%.2f largest_ms=%.2f per_s=%.0f resident_mib=%ld\n",
        ToText(setting).c_str(), width, count, round, 1e3 * times[times.size() / 2], 1e3 * times.back(),
        count / seconds, ResidentMib());
  }
  // All in one batch, as the server would send them.
  std::vector<WindowRequest> all;
  for (const Work& work : works) all.push_back(work.requests[0]);
  const auto start = Clock::now();
  if (absl::Status status = (*embedder)->Embed(0, all); !status.ok()) return status;
  const double seconds = since(start);
  std::printf("RESULT lengths %s width=%g lengths=%d in_one_batch ms=%.2f per_s=%.0f\n", ToText(setting).c_str(), width,
              count, 1e3 * seconds, count / seconds);
  for (const Work& work : works) {
    if (absl::Status status = work.CheckRows(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace hearwire
