#include "server/batching/pin_thread.h"

#include <pthread.h>
#include <sched.h>

#include <cstddef>
#include <vector>

namespace hearwire {

void PinThisThread(int cpu) {
  std::vector<cpu_set_t> sets(static_cast<size_t>(cpu) / CPU_SETSIZE + 1);  // All zero.
  const size_t size = sets.size() * sizeof(cpu_set_t);
  CPU_SET_S(static_cast<size_t>(cpu), size, sets.data());
  pthread_setaffinity_np(pthread_self(), size, sets.data());
}

}  // namespace hearwire
