// The other end of a connection.

#ifndef HEARWIRE_SERVER_LISTENING_PEER_ADDRESS_H_
#define HEARWIRE_SERVER_LISTENING_PEER_ADDRESS_H_

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hearwire {

// Tells a TCP connection from all others that are open, on one listening port.
struct PeerAddress {
  std::array<uint8_t, 16> ip = {};  // IPv4 as ::ffff:a.b.c.d.
  uint16_t port = 0;

  // NOLINTNEXTLINE(modernize-use-nullptr): a false finding of Clang 14 on what is generated.
  friend auto operator<=>(const PeerAddress&, const PeerAddress&) = default;
};

// None: it is no address of IPv4 or IPv6.
std::optional<PeerAddress> ToPeerAddress(const sockaddr_storage& address);

// Of a peer as gRPC names it: "ipv4:10.0.0.7:41234", "ipv6:[fe80::1%25eth0]:41234", its brackets possibly escaped as
// %5B and %5D. The zone is left out. None: it has another form, as sockets of the machine have.
std::optional<PeerAddress> ParsePeerAddress(std::string_view peer);

// "10.0.0.7", "2001:db8::1": as CallerName has it, without a zone.
std::string ToText(const PeerAddress& address);

// Whose connections are counted together: an IPv4 address by itself; of IPv6 the /64, of which one machine may have all
// addresses: "10.0.0.7", "2001:db8::/64".
std::string OriginOf(const PeerAddress& address);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LISTENING_PEER_ADDRESS_H_
