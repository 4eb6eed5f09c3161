#include "server/listening/peer_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

constexpr std::array<uint8_t, 12> kMappedIpv4 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr size_t kNetworkBytes = 8;  // Of a /64.

bool IsIpv4(const PeerAddress& address) {
  return std::equal(kMappedIpv4.begin(), kMappedIpv4.end(), address.ip.begin());
}

void SetIpv4(const void* bytes, PeerAddress* address) {
  std::copy(kMappedIpv4.begin(), kMappedIpv4.end(), address->ip.begin());
  std::memcpy(address->ip.data() + kMappedIpv4.size(), bytes, 4);
}

bool Consume(std::string_view* text, std::string_view prefix) {
  if (text->substr(0, prefix.size()) != prefix) return false;
  text->remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::optional<PeerAddress> ToPeerAddress(const sockaddr_storage& address) {
  PeerAddress peer;
  if (address.ss_family == AF_INET) {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address);
    SetIpv4(&ipv4.sin_addr, &peer);
    peer.port = ntohs(ipv4.sin_port);
    return peer;
  }
  if (address.ss_family != AF_INET6) return std::nullopt;
  const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(address);
  std::memcpy(peer.ip.data(), &ipv6.sin6_addr, peer.ip.size());
  peer.port = ntohs(ipv6.sin6_port);
  return peer;
}

std::optional<PeerAddress> ParsePeerAddress(std::string_view peer) {
  const bool is_ipv6 = Consume(&peer, "ipv6:");
  if (!is_ipv6 && !Consume(&peer, "ipv4:")) return std::nullopt;
  const size_t colon = peer.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  PeerAddress address;
  uint32_t port = 0;
  if (!absl::SimpleAtoi(absl::string_view(peer.data() + colon + 1, peer.size() - colon - 1), &port) || port > 65535) {
    return std::nullopt;
  }
  address.port = static_cast<uint16_t>(port);
  peer = peer.substr(0, colon);
  if (!is_ipv6) {
    in_addr ipv4;
    if (inet_pton(AF_INET, std::string(peer).c_str(), &ipv4) != 1) return std::nullopt;
    SetIpv4(&ipv4, &address);
    return address;
  }
  if (!Consume(&peer, "[") && !Consume(&peer, "%5B")) return std::nullopt;
  // A zone follows a percent sign, and so does the escaped bracket.
  peer = peer.substr(0, peer.find_first_of("%]"));
  if (inet_pton(AF_INET6, std::string(peer).c_str(), address.ip.data()) != 1) return std::nullopt;
  return address;
}

std::string ToText(const PeerAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (IsIpv4(address)) {
    inet_ntop(AF_INET, address.ip.data() + kMappedIpv4.size(), text, sizeof(text));
  } else {
    inet_ntop(AF_INET6, address.ip.data(), text, sizeof(text));
  }
  return text;
}

std::string OriginOf(const PeerAddress& address) {
  if (IsIpv4(address)) return ToText(address);
  PeerAddress network = address;
  std::fill(network.ip.begin() + kNetworkBytes, network.ip.end(), uint8_t{0});
  return absl::StrCat(ToText(network), "/64");
}

}  // namespace hearwire
