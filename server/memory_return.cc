#include "server/memory_return.h"

#include <malloc.h>

#include <algorithm>
#include <utility>

#include "server/address_space.h"

namespace hearwire {
namespace {

constexpr absl::Duration kPeriod = absl::Seconds(1);

// Threads keep small blocks of their own; a call takes tens of larger ones from its arena, which is microseconds.
constexpr int kCpusPerArena = 8;

// Not worth a look through the whole heap.
constexpr int64_t kLittle = int64_t{4} << 20;

}  // namespace

int AllocatorArenas(int cpus, bool address_space_is_limited) {
  return address_space_is_limited ? 1 : std::max(1, cpus / kCpusPerArena);
}

void ArrangeAllocator(int arenas) {
  mallopt(M_ARENA_MAX, arenas);
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 16 << 20);
}

bool ReturnPolicy::Look(int64_t resident, int64_t calls_in_flight, SteadyTime now) {
  calm_ = std::min(calm_, resident);
  was_idle_ = std::exchange(idle_, calls_in_flight == 0);
  const bool long_ago = now - last_ >= kWhileBusy;
  if (resident > std::max(calm_ + calm_ / 8, left_) + kLittle && ((idle_ && was_idle_) || long_ago)) {
    once_more_ = true;
    return true;
  }
  return resident > calm_ + calm_ / 8 + kLittle && long_ago && std::exchange(once_more_, false);
}

void ReturnPolicy::Done(int64_t resident, SteadyTime now) {
  last_ = now;
  left_ = idle_ ? resident : 0;
}

MemoryReturn::MemoryReturn(std::function<int64_t()> calls_in_flight)
    : calls_in_flight_(std::move(calls_in_flight)),
      policy_(ResidentBytes(), SteadyTime::Now()),
      looking_("memory", kPeriod, [this] { Look(); }) {}

void MemoryReturn::Look() {
  if (!policy_.Look(ResidentBytes(), calls_in_flight_(), SteadyTime::Now())) return;
  malloc_trim(0);
  policy_.Done(ResidentBytes(), SteadyTime::Now());
}

}  // namespace hearwire
