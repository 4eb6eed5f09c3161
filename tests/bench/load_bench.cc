// Where the time of loading a checkpoint goes, from the file to a network that is ready to run, and how much memory it
// takes at most. Prints a line a step: wall and CPU milliseconds, each a median of rounds in processes of their own.
//
//   load_bench CHECKPOINT [ROUNDS]

#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/network_weights.h"
#include "models/checkpoint/read_file.h"
#include "models/native/native_backend.h"

namespace hearwire {
namespace {

constexpr std::array<const char*, 4> kSteps = {"read", "parse", "fold", "pack"};

struct Step {
  double wall_ms = 0;
  double cpu_ms = 0;
};

struct Loaded {
  std::array<Step, kSteps.size()> steps;
  int64_t peak_kib = 0;
};

double Milliseconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

template <class T>
T OrDie(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "%s\n", result.status().ToString().c_str());
  std::exit(1);
}

Loaded Load(const std::string& path) {
  Loaded loaded;
  auto step = loaded.steps.begin();
  double wall = Milliseconds(CLOCK_MONOTONIC);
  double cpu = Milliseconds(CLOCK_PROCESS_CPUTIME_ID);
  const auto done = [&] {
    *step++ = {Milliseconds(CLOCK_MONOTONIC) - wall, Milliseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu};
    wall = Milliseconds(CLOCK_MONOTONIC);
    cpu = Milliseconds(CLOCK_PROCESS_CPUTIME_ID);
  };
  FileBytes bytes = OrDie(ReadCheckpoint(path));
  done();
  Checkpoint checkpoint = OrDie(ParseCheckpoint(bytes.view(), path));
  bytes.data.reset();
  done();
  auto weights = std::make_shared<const NetworkWeights>(OrDie(MakeNetworkWeights(std::move(checkpoint), path)));
  done();
  const auto backend = OrDie(MakeNativeBackend());
  OrDie(backend->AddNetwork(std::move(weights), MelSettings{}));
  done();
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  loaded.peak_kib = usage.ru_maxrss;
  return loaded;
}

// In a process of its own, so that every round begins with the same memory.
Loaded LoadApart(const std::string& path) {
  int ends[2];
  if (pipe(ends) != 0) std::exit(1);
  const pid_t child = fork();
  if (child == 0) {
    const Loaded loaded = Load(path);
    std::_Exit(write(ends[1], &loaded, sizeof(loaded)) == sizeof(loaded) ? 0 : 1);
  }
  close(ends[1]);
  Loaded loaded;
  if (read(ends[0], &loaded, sizeof(loaded)) != sizeof(loaded)) std::exit(1);
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return loaded;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace
}  // namespace hearwire

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: load_bench CHECKPOINT [ROUNDS]\n");
    return 1;
  }
  const int rounds = argc > 2 ? std::max(1, std::atoi(argv[2])) : 5;
  std::vector<hearwire::Loaded> loads;
  for (int i = 0; i < rounds; ++i) loads.push_back(hearwire::LoadApart(argv[1]));
  std::vector<double> wall_sums(loads.size()), cpu_sums(loads.size()), peaks;
  for (size_t step = 0; step < hearwire::kSteps.size(); ++step) {
    std::vector<double> walls, cpus;
    for (size_t i = 0; i < loads.size(); ++i) {
      walls.push_back(loads[i].steps[step].wall_ms);
      cpus.push_back(loads[i].steps[step].cpu_ms);
      wall_sums[i] += walls.back();
      cpu_sums[i] += cpus.back();
    }
    std::printf("%-6s %8.1f ms, CPU %8.1f ms\n", hearwire::kSteps[step], hearwire::Median(walls),
                hearwire::Median(cpus));
  }
  for (const hearwire::Loaded& load : loads) peaks.push_back(static_cast<double>(load.peak_kib) / 1024);
  std::printf("%-6s %8.1f ms, CPU %8.1f ms, at most %.0f MiB resident\n", "all", hearwire::Median(wall_sums),
              hearwire::Median(cpu_sums), hearwire::Median(peaks));
  return 0;
}
