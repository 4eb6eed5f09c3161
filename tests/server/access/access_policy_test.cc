#include "server/access/access_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "tests/server/access/sha256_of.h"

namespace hearwire {
namespace {

using Reason = AccessDenied::Reason;

std::unique_ptr<TokenStore> Tokens(const std::string& text) {
  std::string folder = testing::TempDir() + "hearwire-policy-XXXXXX";
  mkdtemp(folder.data());
  std::ofstream(folder + "/tokens") << text;
  auto store = TokenStore::Create(folder + "/tokens", {"GetTags", "ListConfigs", "Reload"}).value();
  std::filesystem::remove_all(folder);
  return store;
}

AccessPolicy WithTokens(AccessOptions options = {}) {
  options.tokens = Tokens(Sha256Of("secret") + " ingest calls-per-minute=7\n" + Sha256Of("narrow") +
                          " search methods=ListConfigs\n" + Sha256Of("operator") + " ops methods=Reload\n");
  return AccessPolicy(std::move(options));
}

AccessOptions TrustingProxies() {
  AccessOptions options;
  EXPECT_TRUE(options.trusted_proxies.Add("10.0.0.0/8").ok());
  options.limits = {.calls = 3};
  return options;
}

Caller Named(const std::variant<Caller, AccessDenied>& decided) {
  const auto* caller = std::get_if<Caller>(&decided);
  return caller == nullptr ? Caller{"denied: " + std::get<AccessDenied>(decided).message} : *caller;
}
Reason Why(const std::variant<Caller, AccessDenied>& decided) { return std::get<AccessDenied>(decided).reason; }

TEST(AccessPolicyTest, NamesCallersByAddressWhereNothingElseIsKnown) {
  AccessOptions options;
  options.limits = {.bytes = 5};
  const AccessPolicy policy(std::move(options));
  const Caller caller = Named(policy.Decide({.method = "GetTags", .address = "10.0.0.7"}));
  EXPECT_EQ(caller.name, "10.0.0.7");
  EXPECT_FALSE(caller.is_named);
  EXPECT_EQ(caller.limits.bytes, 5);
}

TEST(AccessPolicyTest, NamesCallersByCertificate) {
  const AccessPolicy policy{AccessOptions()};
  const Caller caller = Named(policy.Decide({.address = "10.0.0.7", .certificate_name = "spiffe://a/b"}));
  EXPECT_EQ(caller.name, "spiffe://a/b");
  EXPECT_TRUE(caller.is_named);
  EXPECT_EQ(Named(policy.Decide({.certificate_name = "a\nb \"c\""})).name, "a_b__c_") << "it goes to logs";
}

TEST(AccessPolicyTest, AsksForATokenAndKnowsWhose) {
  const AccessPolicy policy = WithTokens();
  const auto decide = [&](std::vector<std::string_view> authorization) {
    return policy.Decide(
        {.method = "GetTags", .address = "10.0.0.7", .certificate_name = "c", .authorization = authorization});
  };
  const Caller caller = Named(decide({"Bearer secret"}));
  EXPECT_EQ(caller.name, "ingest");
  EXPECT_EQ(caller.limits.calls, 7);
  EXPECT_EQ(Named(decide({"bearer   secret"})).name, "ingest");
  EXPECT_EQ(Why(decide({})), Reason::kTokenMissing);
  for (const char* odd : {"", "Bearer", "Bearer ", "secret", "Basic secret", "Bearersecret"}) {
    EXPECT_EQ(Why(decide({odd})), Reason::kTokenMissing) << odd;
  }
  for (const char* wrong : {"Bearer Secret", "Bearer secret ", "Bearer secre", "Bearer secrets"}) {
    EXPECT_EQ(Why(decide({wrong})), Reason::kTokenUnknown) << wrong;
  }
  EXPECT_EQ(Why(decide({"Bearer secret", "Bearer secret"})), Reason::kTokenMissing) << "which of them?";
}

TEST(AccessPolicyTest, HoldsTokensToTheirMethods) {
  const AccessPolicy policy = WithTokens();
  const auto decide = [&](std::string_view method) {
    return policy.Decide({.method = method, .address = "10.0.0.7", .authorization = {"Bearer narrow"}});
  };
  EXPECT_EQ(Named(decide("ListConfigs")).name, "search");
  EXPECT_EQ(Why(decide("GetTags")), Reason::kNotPermitted);
}

TEST(AccessPolicyTest, LeavesHealthOpenUnlessItIsToBeClosed) {
  const Presented check = {.method = "Check", .purpose = Presented::Purpose::kHealth, .address = "10.0.0.7"};
  EXPECT_EQ(Named(WithTokens().Decide(check)).name, "10.0.0.7");
  AccessOptions closed;
  closed.health_is_open = false;
  const AccessPolicy policy = WithTokens(std::move(closed));
  EXPECT_EQ(Why(policy.Decide(check)), Reason::kTokenMissing);
  Presented with_token = check;
  with_token.authorization = {"Bearer narrow"};
  EXPECT_EQ(Named(policy.Decide(with_token)).name, "search") << "methods= is about the service";
}

Presented Reload(std::string_view address) {
  return {.method = "Reload", .purpose = Presented::Purpose::kAdmin, .address = address};
}

AccessOptions AdministeredByUid1000() {
  AccessOptions options;
  EXPECT_TRUE(options.admins.Add("unix:1000").ok());
  return options;
}

TEST(AccessPolicyTest, LetsOnlyTokensThatSaySoAdminister) {
  const AccessPolicy policy = WithTokens(AdministeredByUid1000());
  const auto decide = [&](std::string_view authorization) {
    Presented reload = Reload("unix:1000");
    if (!authorization.empty()) reload.authorization = {authorization};
    return policy.Decide(reload);
  };
  EXPECT_EQ(Named(decide("Bearer operator")).name, "ops");
  EXPECT_EQ(Why(decide("")), Reason::kTokenMissing) << "where there are tokens a uid is not enough";
  EXPECT_EQ(Why(decide("Bearer guess")), Reason::kTokenUnknown);
  EXPECT_EQ(Why(decide("Bearer narrow")), Reason::kNotPermitted);
  const auto unlisted = decide("Bearer secret");
  ASSERT_TRUE(std::holds_alternative<AccessDenied>(unlisted)) << "no methods= is all but administration";
  EXPECT_EQ(std::get<AccessDenied>(unlisted).message,
            "the token of ingest is not for Reload: only one is whose line in --tokens-file says so, methods=Reload");
  EXPECT_EQ(Why(policy.Decide({.method = "GetTags", .authorization = {"Bearer operator"}})), Reason::kNotPermitted);
}

TEST(AccessPolicyTest, LetsWithoutTokensOnlyItsAdminsAdminister) {
  const AccessPolicy policy(AdministeredByUid1000());
  EXPECT_EQ(Named(policy.Decide(Reload("unix:1000"))).name, "unix:1000");
  for (const char* other : {"unix:1001", "unix:100", "unix:0", "unix", "", "127.0.0.1", "::1", "10.0.0.7"}) {
    const auto denied = policy.Decide(Reload(other));
    ASSERT_TRUE(std::holds_alternative<AccessDenied>(denied)) << other;
    EXPECT_EQ(Why(denied), Reason::kNotPermitted) << other;
    EXPECT_TRUE(absl::StrContains(std::get<AccessDenied>(denied).message, "on the Unix socket (--unix-socket)"));
  }
  Presented certified = Reload("10.0.0.7");
  certified.certificate_name = "operator";
  EXPECT_EQ(Why(policy.Decide(certified)), Reason::kNotPermitted) << "a certificate is any caller's";
  Presented named = Reload("127.0.0.1");
  named.authorization = {"Bearer operator"};
  EXPECT_EQ(Why(policy.Decide(named)), Reason::kNotPermitted) << "there is no list that it could be in";
}

TEST(AccessPolicyTest, LetsNobodyAdministerThroughAProxyWithoutAToken) {
  AccessOptions options = AdministeredByUid1000();
  EXPECT_TRUE(options.trusted_proxies.Add("unix:1000").ok());
  const AccessPolicy policy(std::move(options));
  EXPECT_EQ(Why(policy.Decide(Reload("unix:1000"))), Reason::kNotPermitted) << "it passes on what others ask";
  Presented proxied = Reload("unix:1000");
  proxied.proxy_names = {"unix:1000"};
  EXPECT_EQ(Why(policy.Decide(proxied)), Reason::kNotPermitted);
}

TEST(AccessPolicyTest, BelievesTheHeaderOfTrustedProxiesOnly) {
  const AccessPolicy policy(TrustingProxies());
  const auto decide = [&](std::string_view address, std::vector<std::string_view> names) {
    return Named(policy.Decide({.address = address, .proxy_names = names}));
  };
  EXPECT_EQ(decide("10.1.2.3", {"team-a"}).name, "team-a");
  EXPECT_TRUE(decide("10.1.2.3", {"team-a"}).is_named);
  EXPECT_EQ(decide("10.1.2.3", {"team-a"}).limits.calls, 3);
  EXPECT_EQ(decide("11.1.2.3", {"team-a"}).name, "11.1.2.3") << "anybody can send it";
  EXPECT_EQ(decide("10.1.2.3", {}).name, "10.1.2.3");
  EXPECT_EQ(decide("10.1.2.3", {"team-a", "team-b"}).name, "10.1.2.3") << "one of them is not the proxy's";
  EXPECT_EQ(decide("10.1.2.3", {"team a"}).name, "10.1.2.3");
}

TEST(AccessPolicyTest, AsksAProxyForItsTokenToo) {
  const AccessPolicy policy = WithTokens(TrustingProxies());
  EXPECT_EQ(Why(policy.Decide({.address = "10.1.2.3", .proxy_names = {"team-a"}})), Reason::kTokenMissing);
  const Caller caller =
      Named(policy.Decide({.address = "10.1.2.3", .authorization = {"Bearer secret"}, .proxy_names = {"team-a"}}));
  EXPECT_EQ(caller.name, "team-a");
  EXPECT_EQ(caller.limits.calls, 7);
}

TEST(AccessPolicyTest, QuotesNoToken) {
  const auto decided = WithTokens().Decide({.method = "GetTags", .authorization = {"Bearer guess-123"}});
  EXPECT_FALSE(absl::StrContains(std::get<AccessDenied>(decided).message, "guess-123"));
}

}  // namespace
}  // namespace hearwire
