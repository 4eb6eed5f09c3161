// What this process may use of the machine it runs on, containers included.

#ifndef HEARWIRE_SERVER_MACHINE_H_
#define HEARWIRE_SERVER_MACHINE_H_

#include <cstdint>
#include <string>

namespace hearwire {

struct Machine {
  int cpus = 1;              // At least 1.
  int64_t memory_bytes = 0;  // 0 when it is not known.
};

// The smaller of the CPUs that the process may be scheduled on and its cgroup's quota rounded up (version 1 or 2, every
// level up to the root); the smallest of physical memory and its cgroup's limits. `root` is put before /proc and /sys;
// affinity_cpus is CountAffinityCpus(). Files that are not there limit nothing.
Machine ReadMachine(const std::string& root, int affinity_cpus);

// CPUs that the calling thread may be scheduled on.
int CountAffinityCpus();

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_MACHINE_H_
