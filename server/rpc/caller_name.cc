#include "server/rpc/caller_name.h"

#include <cstddef>

namespace hearwire {
namespace {

constexpr std::string_view kIpv4 = "ipv4:";
constexpr std::string_view kIpv6 = "ipv6:";
constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kMappedIpv4 = "::ffff:";

bool Consume(std::string_view* text, std::string_view prefix) {
  if (text->substr(0, prefix.size()) != prefix) return false;
  text->remove_prefix(prefix.size());
  return true;
}

// gRPC escapes the brackets of an IPv6 address in some versions.
std::string_view WithoutBrackets(std::string_view address) {
  if (!Consume(&address, "[") && !Consume(&address, "%5B")) return address;
  size_t end = address.find("%5D");
  if (end == std::string_view::npos) end = address.find(']');
  return address.substr(0, end);
}

}  // namespace

std::string CallerName(std::string_view peer) {
  std::string_view rest = peer;
  if (Consume(&rest, kIpv4)) return std::string(rest.substr(0, rest.rfind(':')));
  if (Consume(&rest, kIpv6)) {
    const std::string_view with_port = rest;
    rest = WithoutBrackets(rest);
    if (rest == with_port) return std::string(peer);  // Without brackets nobody can tell where the port begins.
    Consume(&rest, kMappedIpv4);
    return std::string(rest);
  }
  if (Consume(&rest, kUnix)) return "unix";
  return std::string(peer);
}

}  // namespace hearwire
