#include <sys/resource.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/gpu/probe/commands.h"
#include "tests/gpu/probe/memory.h"

namespace hearwire {
namespace {

using Clock = std::chrono::steady_clock;
double Since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// What one worker found of one amount.
struct Times {
  double first = 0;           // Of the first call, which finds nothing prepared.
  std::vector<double> calls;  // Of the later ones.
  double cpu_seconds = 0;     // Of the whole process while they ran.
  size_t windows = 0;         // In a call.
  int frames = 0;             // Of its first window.
};

absl::Status RunOne(Embedder& embedder, Work& work, double seconds, double tolerance, Times* times) {
  const auto call = [&](double* took) {
    const auto start = Clock::now();
    const absl::Status status = embedder.Embed(0, work.requests);
    *took = Since(start);
    return status;
  };
  double took = 0;
  if (absl::Status status = call(&times->first); !status.ok()) return status;
  const std::vector<float> first_rows = work.rows;
  if (absl::Status status = call(&took); !status.ok()) return status;
  const auto start = Clock::now();
  const double cpu = CpuSeconds();
  while (times->calls.size() < 5 || Since(start) < seconds) {
    if (absl::Status status = call(&took); !status.ok()) return status;
    times->calls.push_back(took);
  }
  times->cpu_seconds = CpuSeconds() - cpu;
  times->windows = work.requests.size();
  times->frames = work.requests[0].window.frame_count();
  return CheckReversed(embedder, work, first_rows, tolerance);
}

void Print(const Setting& setting, double width, const Amount& amount, const std::vector<Times>& workers) {
  double calls_per_second = 0, median = 0, first = 0, cpu = 0;
  for (const Times& times : workers) {
    if (times.calls.empty()) return;  // It failed, and says so.
    double sum = 0;
    for (const double took : times.calls) sum += took;
    const double count = static_cast<double>(times.calls.size());
    calls_per_second += count / sum;
    cpu = std::max(cpu, times.cpu_seconds / sum);  // Cores, all workers together.
    std::vector<double> sorted = times.calls;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(sorted.size() / 2), sorted.end());
    median = std::max(median, sorted[sorted.size() / 2]);
    first = std::max(first, times.first);
  }
  std::printf(
      "RESULT speed %s width=%g workers=%zu work=%s:%d frames=%d windows=%zu first_ms=%.2f ms=%.3f per_s=%.0f "
      "windows_per_s=%.0f cpu_cores=%.2f\n",
      ToText(setting).c_str(), width, workers.size(), amount.kind.c_str(), amount.count, workers[0].frames,
      workers[0].windows, 1e3 * first, 1e3 * median, calls_per_second * amount.count,
      calls_per_second * static_cast<double>(workers[0].windows), cpu);
}

}  // namespace

absl::Status MeasureSpeed(const Setting& setting, double width, int workers, double seconds,
                          const std::vector<Amount>& amounts) {
  const absl::StatusOr<LoadedNetwork> loaded = LoadRandomNetwork(setting, width);
  if (!loaded.ok()) return loaded.status();
  const auto start = Clock::now();
  // A window may run in a chunk of another shape than before.
  const double tolerance = setting.precision == "float16" ? 1e-2 : 1e-4;

  const size_t count = static_cast<size_t>(workers);
  std::vector<absl::Status> statuses(count);
  std::vector<std::vector<Times>> times(amounts.size(), std::vector<Times>(count));
  // All workers begin an amount together, and none begins the next before all are done. Who fails leaves.
  std::barrier together(workers);
  std::barrier ready(workers, [&]() noexcept { PrintStart(setting, width, workers, loaded->seconds, Since(start)); });
  const auto run = [&](size_t worker) -> absl::Status {
    const auto embedder = loaded->backend->NewEmbedder();
    ready.arrive_and_wait();
    if (!embedder.ok()) return embedder.status();
    for (size_t i = 0; i < amounts.size(); ++i) {
      absl::StatusOr<Work> work = MakeWork(*loaded->weights, amounts[i]);
      if (!work.ok()) return work.status();
      together.arrive_and_wait();
      if (absl::Status status = RunOne(**embedder, *work, seconds, tolerance, &times[i][worker]); !status.ok())
        return status;
      together.arrive_and_wait();
      if (worker == 0) Print(setting, width, amounts[i], times[i]);
    }
    return absl::OkStatus();
  };
  // Each embedder is made and used in its own thread, as the server's are.
  std::vector<std::thread> threads;
  for (size_t worker = 0; worker < count; ++worker) {
    threads.emplace_back([&, worker] {
      statuses[worker] = run(worker);
      if (!statuses[worker].ok()) together.arrive_and_drop();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace hearwire
