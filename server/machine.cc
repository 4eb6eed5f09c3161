#include "server/machine.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <limits>
#include <optional>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

// What threads' stacks and the allocator's arenas reserve of an address space and do not use: 8 MiB and 64 MiB each.
constexpr int64_t kReservedAddressSpace = int64_t{512} << 20;
constexpr int64_t kLeastShareOfAddressSpace = 4;  // A quarter, where that is more.

std::vector<std::string> ReadLines(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// The first words of a file of numbers; kUnlimited for "max" and what is no number.
std::vector<int64_t> ReadNumbers(const std::string& path) {
  std::vector<int64_t> numbers;
  std::ifstream file(path);
  for (std::string word; numbers.size() < 2 && file >> word;) {
    char* end = nullptr;
    const int64_t number = std::strtoll(word.c_str(), &end, 10);
    numbers.push_back(*end == '\0' ? number : kUnlimited);
  }
  return numbers;
}

bool ListHas(const std::string& list, const std::string& word) {
  return ("," + list + ",").find("," + word + ",") != std::string::npos;
}

// One place where cgroups are mounted: /proc/self/mountinfo, proc(5).
struct CgroupMount {
  std::string cgroup;  // The group that is mounted there: "/" but in containers.
  std::string folder;
};

// controller: "cpu", "memory"; empty for version 2.
std::optional<CgroupMount> FindCgroupMount(const std::string& root, const std::string& controller) {
  for (const std::string& line : ReadLines(root + "/proc/self/mountinfo")) {
    // id parent device cgroup folder options [optional …] - type source super-options
    std::istringstream fields(line);
    std::string skipped, type, super_options;
    CgroupMount mount;
    fields >> skipped >> skipped >> skipped >> mount.cgroup >> mount.folder;
    while (fields >> skipped && skipped != "-") {
    }
    fields >> type >> skipped >> super_options;
    if (controller.empty() ? type == "cgroup2" : type == "cgroup" && ListHas(super_options, controller)) return mount;
  }
  return std::nullopt;
}

// The process's group under a controller, as /proc/self/cgroup has it; empty when there is none.
std::string FindCgroup(const std::string& root, const std::string& controller) {
  for (const std::string& line : ReadLines(root + "/proc/self/cgroup")) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool found = controller.empty() ? controllers.empty() : ListHas(controllers, controller);
    if (found) return line.substr(second + 1);
  }
  return "";
}

// Calls visit with the folder of the process's group and of every group above it that can be seen.
void VisitCgroups(const std::string& root, const std::string& controller,
                  const std::function<void(const std::string&)>& visit) {
  const std::optional<CgroupMount> mount = FindCgroupMount(root, controller);
  if (!mount.has_value()) return;
  std::string group = FindCgroup(root, controller);
  if (mount->cgroup != "/" && group.rfind(mount->cgroup, 0) == 0) group.erase(0, mount->cgroup.size());
  while (!group.empty() && group != "/") {
    visit(absl::StrCat(root, mount->folder, group));
    group.erase(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
  visit(root + mount->folder);
}

int64_t CeilOfQuota(int64_t quota, int64_t period) {
  if (quota == kUnlimited || quota <= 0 || period <= 0) return kUnlimited;
  return (quota + period - 1) / period;
}

int64_t CgroupCpus(const std::string& root) {
  int64_t cpus = kUnlimited;
  VisitCgroups(root, "", [&](const std::string& folder) {
    const std::vector<int64_t> max = ReadNumbers(folder + "/cpu.max");
    if (max.size() == 2) cpus = std::min(cpus, CeilOfQuota(max[0], max[1]));
  });
  VisitCgroups(root, "cpu", [&](const std::string& folder) {
    const std::vector<int64_t> quota = ReadNumbers(folder + "/cpu.cfs_quota_us");
    const std::vector<int64_t> period = ReadNumbers(folder + "/cpu.cfs_period_us");
    if (!quota.empty() && !period.empty()) cpus = std::min(cpus, CeilOfQuota(quota[0], period[0]));
  });
  return cpus;
}

int64_t MemoryLimit(const std::string& root, int64_t address_space) {
  int64_t bytes = kUnlimited;
  const auto take = [&](const std::string& path) {
    const std::vector<int64_t> limit = ReadNumbers(path);
    if (!limit.empty() && limit[0] > 0) bytes = std::min(bytes, limit[0]);
  };
  VisitCgroups(root, "", [&](const std::string& folder) { take(folder + "/memory.max"); });
  VisitCgroups(root, "memory", [&](const std::string& folder) { take(folder + "/memory.limit_in_bytes"); });
  for (const std::string& line : ReadLines(root + "/proc/meminfo")) {
    if (line.rfind("MemTotal:", 0) != 0) continue;
    const int64_t physical = std::strtoll(line.c_str() + 9, nullptr, 10) * 1024;
    if (physical > 0) bytes = std::min(bytes, physical);
  }
  if (address_space > 0) {
    bytes = std::min(bytes, std::max(address_space - kReservedAddressSpace, address_space / kLeastShareOfAddressSpace));
  }
  return bytes == kUnlimited ? 0 : bytes;
}

// Of all processes of a group together, so those of others are not ours to have.
int64_t ThreadLimit(const std::string& root, int64_t user_threads) {
  int64_t threads = user_threads > 0 ? user_threads : kUnlimited;
  const auto take = [&](const std::string& folder) {
    const std::vector<int64_t> max = ReadNumbers(folder + "/pids.max");
    const std::vector<int64_t> current = ReadNumbers(folder + "/pids.current");
    if (max.empty() || max[0] == kUnlimited) return;
    const int64_t others = current.empty() || current[0] == kUnlimited ? 0 : current[0] - 1;
    threads = std::min(threads, std::max<int64_t>(max[0] - std::max<int64_t>(others, 0), 1));
  };
  VisitCgroups(root, "", take);
  VisitCgroups(root, "pids", take);
  return threads == kUnlimited ? 0 : threads;
}

}  // namespace

Machine ReadMachine(const std::string& root, const std::vector<int>& affinity, const ResourceLimits& limits) {
  Machine machine;
  const auto schedulable = static_cast<int64_t>(affinity.size());
  machine.cpus = static_cast<int>(std::max<int64_t>(std::min(schedulable, CgroupCpus(root)), 1));
  machine.affinity = affinity;
  machine.memory_bytes = MemoryLimit(root, limits.address_space_bytes);
  machine.threads = ThreadLimit(root, limits.user_threads);
  // Each CPU has a worker and a thread that prepares.
  if (machine.threads > 0) {
    machine.cpus =
        static_cast<int>(std::clamp<int64_t>((machine.threads - kOtherThreads) / 2, 1, std::max(machine.cpus, 1)));
  }
  return machine;
}

ResourceLimits ReadResourceLimits() {
  const auto read = [](auto resource) -> int64_t {
    rlimit limit;
    if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 0;
    return static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, static_cast<rlim_t>(kUnlimited)));
  };
  ResourceLimits limits;
  limits.address_space_bytes = read(RLIMIT_AS);
  if (geteuid() != 0) limits.user_threads = read(RLIMIT_NPROC);
  return limits;
}

std::vector<int> ReadAffinity() {
  std::array<cpu_set_t, 16> sets;  // 16,384 CPUs: the kernel refuses a set that is smaller than its own.
  if (sched_getaffinity(0, sizeof(sets), sets.data()) != 0) return {};
  std::vector<int> cpus;
  for (size_t cpu = 0; cpu < sets.size() * CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET_S(cpu, sizeof(sets), sets.data())) cpus.push_back(static_cast<int>(cpu));
  }
  return cpus;
}

}  // namespace hearwire
