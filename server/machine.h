// What this process may use of the machine it runs on, containers included.

#ifndef HEARWIRE_SERVER_MACHINE_H_
#define HEARWIRE_SERVER_MACHINE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace hearwire {

struct Machine {
  int cpus = 1;               // What there is to compute with. At least 1.
  int64_t memory_bytes = 0;   // 0 when it is not known.
  std::vector<int> affinity;  // The CPUs that the process may be scheduled on, by the system's numbers.
  int64_t descriptors = 0;    // File descriptors that the process may have. 0 when it is not known.
  int64_t threads = 0;        // That the process may have, its first one too. 0 when nothing limits them.
};

// Limits of the process (getrlimit). 0: none.
struct ResourceLimits {
  int64_t address_space_bytes = 0;  // ulimit -v
  int64_t user_threads = 0;         // ulimit -u, which does not hold for root.
};

// What a server has beside its workers and those that prepare, rounded up: gRPC's, those that serve metrics, the log's.
inline constexpr int kOtherThreads = 48;

// cpus is the smaller of the affinity's CPUs and the cgroup's quota rounded up (version 1 or 2, every level up to the
// root), and no more than the threads suffice for; memory the smallest of the physical one, the cgroup's limits, and
// the address space without what stacks and the allocator reserve of it; threads the smallest of what the cgroups have
// left (pids.max) and the user's. `root` is put before /proc and /sys; affinity is ReadAffinity(), limits
// ReadResourceLimits(). Files that are not there limit nothing.
// Descriptors are left to RaiseDescriptorLimit.
Machine ReadMachine(const std::string& root, const std::vector<int>& affinity, const ResourceLimits& limits = {});

ResourceLimits ReadResourceLimits();

// The CPUs that the calling thread may be scheduled on, ascending. Empty when the system does not say.
std::vector<int> ReadAffinity();

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_MACHINE_H_
