#include "server/listening/connection_limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

constexpr int64_t kAssumedDescriptors = 1024;  // Where the system does not say.
constexpr int64_t kLeastPerAddress = 16;
constexpr int64_t kShareOfAnAddress = 4;

int64_t ToCount(rlim_t limit) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  return limit == RLIM_INFINITY ? kMost : static_cast<int64_t>(std::min<rlim_t>(limit, kMost));
}

}  // namespace

DescriptorLimit RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  DescriptorLimit found = {.before = ToCount(limit.rlim_cur), .now = ToCount(limit.rlim_cur)};
  if (limit.rlim_cur == limit.rlim_max) return found;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0) found.now = ToCount(limit.rlim_cur);
  return found;
}

int64_t ConnectionsFor(int64_t descriptors) {
  if (descriptors == 0) descriptors = kAssumedDescriptors;
  return std::clamp<int64_t>((descriptors - kOtherDescriptors) / kDescriptorsPerConnection, 1, kMostConnections);
}

int64_t ConnectionsPerAddressFor(int64_t max_connections) {
  return std::min(max_connections, std::max(max_connections / kShareOfAnAddress, kLeastPerAddress));
}

absl::Status CheckMaxConnections(int64_t max_connections, int64_t descriptors) {
  const int64_t needed = max_connections * kDescriptorsPerConnection + kOtherDescriptors;
  if (descriptors == 0 || needed <= descriptors) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--max-connections=", max_connections, " needs ", needed, " file descriptors, and this process may have ",
      descriptors, ": raise its limit (ulimit -n, LimitNOFILE), or take at most ", ConnectionsFor(descriptors)));
}

}  // namespace hearwire
