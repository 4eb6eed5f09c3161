#include "server/address_space.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace hearwire {
namespace {

// -1: unlimited, or not known.
int64_t ReadLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return -1;
  return static_cast<int64_t>(limit.rlim_cur);
}

// The first number of /proc/self/statm: pages. 0 when it cannot be read.
int64_t UsedBytes() {
  const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  std::array<char, 64> text = {};
  const ssize_t count = read(fd, text.data(), text.size() - 1);
  close(fd);
  return count <= 0 ? 0 : std::strtoll(text.data(), nullptr, 10) * sysconf(_SC_PAGESIZE);
}

}  // namespace

bool AddressSpaceHasRoomFor(int64_t bytes) {
  static const int64_t limit = ReadLimit();
  return limit < 0 || UsedBytes() + bytes + kSpareAddressSpace <= limit;
}

}  // namespace hearwire
