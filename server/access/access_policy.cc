#include "server/access/access_policy.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

using Reason = AccessDenied::Reason;
using Purpose = Presented::Purpose;

constexpr std::string_view kUid = "unix:";

// The token of "Bearer TOKEN"; the first word in any case, as HTTP has it.
std::optional<std::string_view> TokenOf(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  const absl::string_view scheme(authorization.data(), std::min(authorization.size(), kScheme.size()));
  if (!absl::EqualsIgnoreCase(scheme, absl::string_view(kScheme.data(), kScheme.size()))) return std::nullopt;
  authorization.remove_prefix(kScheme.size());
  while (!authorization.empty() && authorization.front() == ' ') authorization.remove_prefix(1);
  return authorization.empty() ? std::nullopt : std::optional(authorization);
}

bool IsFor(const TokenList::Entry& entry, const Presented& presented) {
  switch (presented.purpose) {
    case Purpose::kHealth:
      return true;
    case Purpose::kAdmin:
      return entry.methods.contains(presented.method);
    case Purpose::kService:
      break;
  }
  return entry.methods.empty() || entry.methods.contains(presented.method);
}

}  // namespace

Caller AccessPolicy::NameWithoutToken(const Presented& presented) const {
  if (!presented.certificate_name.empty()) {
    return {ToCallerName(presented.certificate_name), options_.limits, /*weight=*/1, /*max_streams=*/0,
            /*is_named=*/true};
  }
  const bool is_uid = presented.address.substr(0, kUid.size()) == kUid;
  return {std::string(presented.address), options_.limits, /*weight=*/1, /*max_streams=*/0, /*is_named=*/is_uid};
}

std::variant<Caller, AccessDenied> AccessPolicy::ByToken(const Presented& presented) const {
  if (presented.authorization.empty()) {
    return AccessDenied{Reason::kTokenMissing,
                        "this server asks for a token: send the metadata \"authorization: Bearer TOKEN\""};
  }
  // Of several it would not be clear which one counts, and who put it there.
  const std::optional<std::string_view> token =
      presented.authorization.size() == 1 ? TokenOf(presented.authorization.front()) : std::nullopt;
  if (!token) {
    return AccessDenied{Reason::kTokenMissing,
                        "the metadata \"authorization\" is not one \"Bearer TOKEN\", which this server asks for"};
  }
  const std::shared_ptr<const TokenList> list = options_.tokens->current();
  const TokenList::Entry* entry = list->Find(*token);
  if (entry == nullptr) return AccessDenied{Reason::kTokenUnknown, "this server does not know the token"};
  if (!IsFor(*entry, presented)) {
    std::string message =
        absl::StrCat("the token of ", entry->caller.name, " is not for ", std::string(presented.method));
    if (presented.purpose == Purpose::kAdmin) {
      absl::StrAppend(&message,
                      ": only one is whose line in --tokens-file says so, methods=", std::string(presented.method));
    }
    return AccessDenied{Reason::kNotPermitted, std::move(message)};
  }
  Caller caller = entry->caller;
  if (!caller.limits.any()) caller.limits = options_.limits;
  return caller;
}

std::variant<Caller, AccessDenied> AccessPolicy::WithoutToken(const Presented& presented) const {
  const bool is_admin = options_.admins.Contains(presented.address) && !TrustsProxy(presented.address);
  if (presented.purpose != Purpose::kAdmin || is_admin) return NameWithoutToken(presented);
  return AccessDenied{
      Reason::kNotPermitted,
      absl::StrCat(std::string(presented.method),
                   " is for the server's operator: call it on the Unix socket (--unix-socket) as the server's own user "
                   "or root, and not by way of --trusted-proxies, or let --tokens-file have a token with methods=",
                   std::string(presented.method))};
}

std::variant<Caller, AccessDenied> AccessPolicy::Decide(const Presented& presented) const {
  const bool is_open = presented.purpose == Purpose::kHealth && options_.health_is_open;
  std::variant<Caller, AccessDenied> decided =
      options_.tokens != nullptr && !is_open ? ByToken(presented) : WithoutToken(presented);
  auto* caller = std::get_if<Caller>(&decided);
  if (caller == nullptr || presented.proxy_names.size() != 1) return decided;
  // A proxy that is trusted strips what clients send under that name; of two headers one is not its own.
  if (!TrustsProxy(presented.address)) return decided;
  if (!IsCallerName(presented.proxy_names.front())) return decided;
  // Limits, weight and streams stay those of the token, or the default: each caller behind the proxy has its own of
  // them.
  caller->name = std::string(presented.proxy_names.front());
  caller->is_named = true;
  return decided;
}

}  // namespace hearwire
