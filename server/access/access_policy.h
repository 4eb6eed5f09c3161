// Who may call what: the one place where that is decided.
//
// A caller is named by the first of these that applies:
// 1. the header that a trusted proxy sets, where the call comes from one;
// 2. the token that the call brings;
// 3. the certificate that the connection showed, which gRPC has verified;
// 4. the uid of the process that calls, on a socket of the machine;
// 5. the address that the call came from.
// Where tokens are in force every call needs one, a proxy's and one over a certified connection too. Health is apart.
//
// What administers the server is for its operator alone: where tokens are in force, for a token whose line names the
// method; else for `admins`, unless they pass on the calls of others.

#ifndef HEARWIRE_SERVER_ACCESS_ACCESS_POLICY_H_
#define HEARWIRE_SERVER_ACCESS_ACCESS_POLICY_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/access/caller.h"
#include "server/access/network_list.h"
#include "server/access/token_store.h"

namespace hearwire {

struct AccessOptions {
  std::shared_ptr<TokenStore> tokens = nullptr;  // Null: no token is asked for.
  // Whether health needs a token where tokens are in force.
  bool health_is_open = true;
  // Of callers that bring no limits of their own.
  CallerLimits limits = {};
  // From which the header that names the caller is believed.
  NetworkList trusted_proxies = {};
  // Who may administer where there are no tokens.
  NetworkList admins = {};
};

// What a call shows of who makes it. Views.
struct Presented {
  enum class Purpose { kService, kHealth, kAdmin };

  std::string_view method = {};  // "GetTags"; of health "Check", "Watch"; of administration "Reload".
  Purpose purpose = Purpose::kService;
  std::string_view address = {};                     // Without a port; "unix:1000" with the caller's uid.
  std::string_view certificate_name = {};            // Empty: no certificate.
  std::vector<std::string_view> authorization = {};  // Each header of that name.
  std::vector<std::string_view> proxy_names = {};    // Each header that names the caller; from anybody.
};

struct AccessDenied {
  enum class Reason { kTokenMissing, kTokenUnknown, kNotPermitted };
  Reason reason;
  std::string message;
};

// Thread-safe.
class AccessPolicy {
 public:
  explicit AccessPolicy(AccessOptions options) : options_(std::move(options)) {}

  // Never tells what a right token would be like.
  std::variant<Caller, AccessDenied> Decide(const Presented& presented) const;

  // Null: none.
  TokenStore* tokens() const { return options_.tokens.get(); }
  bool trusts_proxies() const { return !options_.trusted_proxies.empty(); }
  bool TrustsProxy(std::string_view address) const { return options_.trusted_proxies.Contains(address); }

 private:
  // By certificate or address.
  Caller NameWithoutToken(const Presented& presented) const;
  std::variant<Caller, AccessDenied> ByToken(const Presented& presented) const;
  std::variant<Caller, AccessDenied> WithoutToken(const Presented& presented) const;

  const AccessOptions options_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_ACCESS_ACCESS_POLICY_H_
