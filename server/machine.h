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
};

// cpus is the smaller of the affinity's CPUs and the cgroup's quota rounded up (version 1 or 2, every level up to the
// root), memory the smallest of the physical one and the cgroup's limits. `root` is put before /proc and /sys; affinity
// is ReadAffinity(). Files that are not there limit nothing. Descriptors are left to RaiseDescriptorLimit.
Machine ReadMachine(const std::string& root, const std::vector<int>& affinity);

// The CPUs that the calling thread may be scheduled on, ascending. Empty when the system does not say.
std::vector<int> ReadAffinity();

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_MACHINE_H_
