#include "server/address_space.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace hearwire {
namespace {

// What gRPC takes before the first call, beside what is to be spare.
constexpr int64_t kToServe = int64_t{64} << 20;

// -1: unlimited, or not known.
int64_t ReadLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return -1;
  return static_cast<int64_t>(limit.rlim_cur);
}

// A number of /proc/self/statm, of pages: 0 is what is mapped, 1 what is resident. 0 when it cannot be read.
int64_t ReadPages(int number) {
  const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  std::array<char, 64> text = {};
  const ssize_t count = read(fd, text.data(), text.size() - 1);
  close(fd);
  if (count <= 0) return 0;
  char* at = text.data();
  for (; number > 0; --number) std::strtoll(at, &at, 10);
  return std::strtoll(at, nullptr, 10) * sysconf(_SC_PAGESIZE);
}

}  // namespace

bool AddressSpaceHasRoomFor(int64_t bytes) {
  static const int64_t limit = ReadLimit();
  return limit < 0 || ReadPages(0) + bytes + kSpareAddressSpace <= limit;
}

int64_t ResidentBytes() { return ReadPages(1); }

absl::Status CheckAddressSpaceToServe() {
  if (AddressSpaceHasRoomFor(kToServe)) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      "the address space that this process may have (ulimit -v) is too small to serve in: 1 GiB (ulimit -v 1048576) is "
      "enough for the embedded network");
}

}  // namespace hearwire
