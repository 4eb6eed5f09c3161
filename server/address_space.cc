#include "server/address_space.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "server/machine.h"

namespace hearwire {
namespace {

// What gRPC takes before the first call, beside what is to be spare.
constexpr int64_t kToServe = int64_t{64} << 20;

// The first numbers of /proc/self/statm, in bytes: what is mapped, what is resident, what of it files back. 0 when they
// cannot be read.
struct Pages {
  int64_t mapped = 0;
  int64_t resident = 0;
  int64_t of_files = 0;
};

Pages ReadPages() {
  const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::array<char, 64> text = {};
  const ssize_t count = read(fd, text.data(), text.size() - 1);
  close(fd);
  if (count <= 0) return {};
  const int64_t page = sysconf(_SC_PAGESIZE);
  char* at = text.data();
  Pages pages;
  pages.mapped = std::strtoll(at, &at, 10) * page;
  pages.resident = std::strtoll(at, &at, 10) * page;
  pages.of_files = std::strtoll(at, &at, 10) * page;
  return pages;
}

}  // namespace

bool AddressSpaceHasRoomFor(int64_t bytes) {
  static const int64_t limit = ReadResourceLimits().address_space_bytes;
  return limit == 0 || ReadPages().mapped + bytes + kSpareAddressSpace <= limit;
}

int64_t ResidentBytes() { return ReadPages().resident; }

int64_t AnonymousBytes() {
  const Pages pages = ReadPages();
  return pages.resident - pages.of_files;
}

absl::Status CheckAddressSpaceToServe() {
  if (AddressSpaceHasRoomFor(kToServe)) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      "the address space that this process may have (ulimit -v) is too small to serve in: 1 GiB (ulimit -v 1048576) is "
      "enough for the embedded network");
}

}  // namespace hearwire
