// Who calls, and how much they may.

#ifndef HEARWIRE_SERVER_ACCESS_CALLER_H_
#define HEARWIRE_SERVER_ACCESS_CALLER_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace hearwire {

// What a caller may take in a minute, at most so much at once. 0: as much as it likes.
struct CallerLimits {
  int64_t calls = 0;
  int64_t bytes = 0;  // Of requests.
  int64_t audio_seconds = 0;

  bool any() const { return calls > 0 || bytes > 0 || audio_seconds > 0; }
  friend bool operator==(const CallerLimits&, const CallerLimits&) = default;
};

constexpr int kMostWeight = 1000;
constexpr int kMostStreams = 1 << 20;

struct Caller {
  // Calls of one name are one caller's: in logs and metrics, in the order of calls, and for the limits.
  std::string name = {};
  CallerLimits limits = {};
  // Where callers compete, each gets by its weight: 1 to 1000.
  int weight = 1;
  // Streams that it may have open. 0: as many as the server allows anybody.
  int max_streams = 0;
  // By a token, a certificate or a trusted proxy; else the name is only where the call came from.
  bool is_named = false;
};

// 1 to 128 characters, each a letter, a digit, or one of "._:/+=-@": what a name may be that others give.
bool IsCallerName(std::string_view name);

// The same with "_" for every other character, cut after 128.
std::string ToCallerName(std::string_view text);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_ACCESS_CALLER_H_
