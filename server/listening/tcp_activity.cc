#include "server/listening/tcp_activity.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

namespace hearwire {

std::optional<TcpActivity> ReadTcpActivity(int fd, SteadyTime now) {
  tcp_info info = {};
  socklen_t size = sizeof(info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  const uint32_t silent_ms = std::min(info.tcpi_last_data_recv, info.tcpi_last_data_sent);
  return TcpActivity{static_cast<int64_t>(info.tcpi_bytes_received), now - absl::Milliseconds(silent_ms)};
}

}  // namespace hearwire
