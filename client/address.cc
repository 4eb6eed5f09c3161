#include "client/address.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <memory>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace hearwire::client {
namespace {

constexpr std::string_view kHttps = "https://";

absl::Status Wrong(const std::string& server, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("the server's address ", server, why));
}

// Without a port, or with one that is none: false.
bool SplitPort(std::string_view text, std::string* host, std::string* port) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  *host = std::string(text.substr(0, colon));
  *port = std::string(text.substr(colon + 1));
  int number = 0;
  return absl::SimpleAtoi(*port, &number) && number > 0 && number < 65536;
}

// The IPv4 address of a name, or of itself; empty where it has none.
std::string LookUp(const std::string& host) {
  addrinfo hints = {};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0 || found == nullptr) return "";
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  char text[INET_ADDRSTRLEN] = {};
  const auto* address = reinterpret_cast<const sockaddr_in*>(found->ai_addr);
  inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text));
  return text;
}

absl::Status ReadList(const std::string& server, const std::vector<std::string>& parts, Address* address) {
  std::vector<std::string> ipv4, ipv6;
  for (const std::string& part : parts) {
    std::string host, port;
    if (!SplitPort(part, &host, &port)) {
      return Wrong(server, absl::StrCat(": of several each is HOST:PORT, and \"", part, "\" is not"));
    }
    if (host.front() == '[') {
      ipv6.push_back(part);
      continue;
    }
    const std::string found = LookUp(host);
    if (found.empty()) return Wrong(server, absl::StrCat(" has the name ", host, ", which cannot be resolved"));
    ipv4.push_back(absl::StrCat(found, ":", port));
  }
  if (!ipv4.empty() && !ipv6.empty()) {
    return Wrong(server, " has addresses of IPv4 and of IPv6: gRPC takes several of one kind only");
  }
  address->target =
      ipv6.empty() ? absl::StrCat("ipv4:", absl::StrJoin(ipv4, ",")) : absl::StrCat("ipv6:", absl::StrJoin(ipv6, ","));
  address->several = true;
  address->authority = parts.front();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Address> ParseAddress(const std::string& server) {
  Address address;
  if (server.starts_with("ipv4:") || server.starts_with("ipv6:")) {  // gRPC's own lists: the first that answers.
    address.target = server;
    return address;
  }
  std::vector<std::string> parts = absl::StrSplit(server, ',');
  for (std::string& part : parts) {
    part = std::string(absl::StripAsciiWhitespace(part));
    const bool has_tls = part.starts_with(kHttps);
    if (has_tls) {
      part.erase(0, kHttps.size());
      if (part.ends_with('/')) part.pop_back();
    }
    if (part.empty()) {
      return server.empty() ? absl::InvalidArgumentError("the server's address is empty: HOST:PORT would be right")
                            : Wrong(server, " has an empty part: HOST:PORT would be right");
    }
    if (&part != &parts.front() && has_tls != address.has_tls) {
      return Wrong(server, " has servers with TLS and without: one client talks to one kind");
    }
    address.has_tls = has_tls;
    const bool is_grpcs = part.starts_with("dns://") || part.starts_with("unix://");
    if ((part.find("://") != std::string::npos && !is_grpcs) || (has_tls && part.find('/') != std::string::npos)) {
      return Wrong(server, " is a URL: HOST:PORT would be right, or https://HOST:PORT");
    }
    std::string host, port;
    if (has_tls && !SplitPort(part, &host, &port)) part += ":443";
  }
  if (parts.size() > 1) {
    if (absl::Status status = ReadList(server, parts, &address); !status.ok()) return status;
    return address;
  }
  address.target = parts.front();
  address.several = address.target.starts_with("dns:");
  return address;
}

}  // namespace hearwire::client
