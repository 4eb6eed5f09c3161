#include "server/listening/memory_guard.h"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

namespace hearwire {
namespace {

// Calls that their client has given up may not have been ended yet: so often as many as may be open are no flood.
constexpr int64_t kFlood = 2;

}  // namespace

MemoryGuard::MemoryGuard(const Options& options)
    : max_message_bytes_(options.max_message_bytes), max_calls_(options.max_calls) {
  const int64_t limit = options.limit_bytes > 0 ? options.limit_bytes : std::numeric_limits<int64_t>::max() / 2;
  // Three quarters are what services, gRPC's quota and the queue may take (options.cc); a server that takes most of the
  // machine by itself is left half of the rest.
  high_ = std::max(limit / 16 * 13, options.calm_bytes + (limit - options.calm_bytes) / 2);
  watched_ = std::min(options.calm_bytes + limit / 16, high_);
  step_ = limit / 64;
  critical_ = high_ + (limit - high_) / 2;
}

absl::Duration MemoryGuard::NextLook(int64_t resident, int64_t before) const {
  if (resident >= watched_) return kLookWhereWatched;
  return resident < before + kLeast ? kLookWhereStill : kLook;
}

bool MemoryGuard::Floods(const Seen& seen) const {
  return seen.open_calls + seen.known_calls > kFlood * max_calls_ ||
         seen.bytes - seen.open_calls * max_message_bytes_ >= kLeastBesideCalls;
}

int64_t MemoryGuard::HeldInVain(const Seen& seen) const {
  // A call whose message arrives has brought more than its headers.
  const int64_t calls = std::max<int64_t>(seen.unknown_calls * kBytesPerCall - seen.bytes, 0);
  // What is more than the messages that may be on their way is none.
  const int64_t bytes = std::max<int64_t>(seen.bytes - seen.open_calls * max_message_bytes_, 0);
  return calls + bytes + seen.given_up * kBytesPerCall;
}

std::vector<MemoryGuard::Id> MemoryGuard::Worst(int64_t resident, const std::vector<Seen>& connections) const {
  if (resident < watched_) return {};
  for (const Seen& seen : connections) {
    resident += kCostOfEnd * std::max<int64_t>(seen.open_calls * kBytesPerCall - seen.bytes, 0);
  }
  std::vector<Id> worst;
  struct Suspect {
    bool has_calls;
    bool is_explained;
    int64_t held;
    Id id;
    std::string_view origin;
  };
  std::vector<Suspect> suspects;
  for (const Seen& seen : connections) {
    if (Floods(seen)) {
      worst.push_back(seen.id);
      continue;
    }
    if (resident < high_) continue;
    const int64_t held = HeldInVain(seen);
    const bool has_calls = seen.known_calls > 0;
    if (held >= (has_calls ? kLeastBesideCalls : kLeast)) {
      suspects.push_back({has_calls, false, held, seen.id, seen.origin});
    } else if (!has_calls && resident >= critical_ && seen.bytes >= kLeast) {
      // It may be a large message. But messages alone do not fill memory so far, and the process is next.
      suspects.push_back({false, true, seen.bytes, seen.id, seen.origin});
    }
  }
  std::sort(suspects.begin(), suspects.end(), [](const Suspect& a, const Suspect& b) {
    return std::tuple(a.is_explained, a.has_calls, -a.held) < std::tuple(b.is_explained, b.has_calls, -b.held);
  });
  int64_t too_much = resident - high_ + kLeast;
  std::map<std::string_view, int> ended;
  for (const Suspect& suspect : suspects) {
    if (too_much <= 0) break;
    worst.push_back(suspect.id);
    too_much -= suspect.held;
    if (!suspect.origin.empty()) ++ended[suspect.origin];
  }
  // What others of theirs have sent may not have been read yet.
  for (const Seen& seen : connections) {
    const auto found = ended.find(seen.origin);
    if (found == ended.end() || found->second < kManyOfOrigin || seen.known_calls > 0) continue;
    if (std::find(worst.begin(), worst.end(), seen.id) == worst.end()) worst.push_back(seen.id);
  }
  return worst;
}

}  // namespace hearwire
