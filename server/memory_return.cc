#include "server/memory_return.h"

#include <malloc.h>

#include <algorithm>
#include <utility>

#include "server/address_space.h"

namespace hearwire {
namespace {

constexpr absl::Duration kPeriod = absl::Seconds(1);

// Not worth a look through the whole heap.
constexpr int64_t kLittle = int64_t{4} << 20;

}  // namespace

void KeepLittleMemory() {
  mallopt(M_MMAP_THRESHOLD, 4 << 20);
  mallopt(M_TRIM_THRESHOLD, 2 << 20);
}

bool ReturnPolicy::Look(int64_t resident, int64_t calls_in_flight, SteadyTime now) {
  calm_ = std::min(calm_, resident);
  was_idle_ = std::exchange(idle_, calls_in_flight == 0);
  const bool much = resident > std::max(calm_ + calm_ / 8, left_) + kLittle;
  return much && ((idle_ && was_idle_) || now - last_ >= kWhileBusy);
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
