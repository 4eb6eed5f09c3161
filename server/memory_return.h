// Gives memory back to the system that a storm of calls has left behind.
//
// The allocator keeps what calls have freed, in pieces between what lives on: after a storm of 240 calls the process
// had 5.6 times the memory of before, for ever. malloc_trim gives it back. docs/operations.md has what was measured.

#ifndef HEARWIRE_SERVER_MEMORY_RETURN_H_
#define HEARWIRE_SERVER_MEMORY_RETURN_H_

#include <cstdint>
#include <functional>

#include "absl/time/time.h"
#include "server/concurrency/periodic.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

// When to give memory back. No threads, no clock.
class ReturnPolicy {
 public:
  // While calls run, what is given back is soon taken again: this often at most.
  static constexpr absl::Duration kWhileBusy = absl::Seconds(30);

  // calm: what is resident when nothing has run yet.
  ReturnPolicy(int64_t calm, SteadyTime now) : calm_(calm), last_(now) {}

  // Whether to do it now: when clearly more is resident than at the calmest, and no call has been in flight at this
  // look and the one before, or long enough has passed. Also once more, long enough after a time that was to be the
  // last: a request of health or reflection may have been on its way then, which is no call here.
  bool Look(int64_t resident, int64_t calls_in_flight, SteadyTime now);
  // It was done, and that is resident now. What the calls still hold, or nobody knows of, is not asked for again before
  // more has come.
  void Done(int64_t resident, SteadyTime now);

 private:
  int64_t calm_;
  int64_t left_ = 0;  // Resident after the last time, where calls had none in flight.
  SteadyTime last_;
  bool once_more_ = false;
  bool was_idle_ = false;
  bool idle_ = false;
};

// How many arenas the allocator gets: as few as its locks allow. All that is freed in one serves the next call, and
// malloc_trim gives the top of the first alone back. Of each, address space takes 64 MiB.
int AllocatorArenas(int cpus, bool address_space_is_limited);

// Tells the allocator what to keep of what is freed: at most 16 MiB at the top of each arena, which the next call takes
// without asking the system for pages, and nothing of blocks of 32 MiB and more. Left to itself it has eight arenas a
// CPU, and learns from the largest blocks to keep up to 64 MiB in each. Before there are threads.
void ArrangeAllocator(int arenas);

// Looks every second, on a thread of its own.
class MemoryReturn {
 public:
  explicit MemoryReturn(std::function<int64_t()> calls_in_flight);

 private:
  void Look();

  const std::function<int64_t()> calls_in_flight_;
  ReturnPolicy policy_;
  Periodic looking_;  // Last: its thread uses the others.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_MEMORY_RETURN_H_
