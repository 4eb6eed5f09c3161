// Who asks: the name under which calls are ordered and counted together.

#ifndef HEARWIRE_SERVER_RPC_CALLER_NAME_H_
#define HEARWIRE_SERVER_RPC_CALLER_NAME_H_

#include <string>
#include <string_view>

namespace hearwire {

// The address without its port of a peer as gRPC names it ("ipv4:10.0.0.7:41234", "ipv6:[fe80::1%25eth0]:41234" with
// its brackets possibly escaped as %5B and %5D, "unix:/run/hearwire.sock"): all connections of one host are one caller.
// An IPv4 address that came in as IPv6 (::ffff:10.0.0.7) is the IPv4 one. Of local sockets, all are "unix". What has
// another form is taken whole.
std::string CallerName(std::string_view peer);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_CALLER_NAME_H_
