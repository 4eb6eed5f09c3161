// The memory of this process.

#ifndef HEARWIRE_TESTS_GPU_PROBE_MEMORY_H_
#define HEARWIRE_TESTS_GPU_PROBE_MEMORY_H_

#include <unistd.h>

#include <fstream>

namespace hearwire {

inline long ResidentMib() {
  std::ifstream in("/proc/self/statm");
  long pages = 0, resident = 0;
  in >> pages >> resident;
  return resident * (sysconf(_SC_PAGESIZE) / 1024) / 1024;
}

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_GPU_PROBE_MEMORY_H_
