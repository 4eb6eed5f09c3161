#include "server/tls/check_tls_material.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "tests/fixtures/certificates.h"

namespace hearwire {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::FromCivil(absl::CivilDay(2026, 6, 1), absl::UTCTimeZone());

TlsMaterial Material(const std::string& certificate, const std::string& key) {
  return {TestCertificate(certificate + ".pem"), TestCertificate(key + ".key"), ""};
}

absl::StatusOr<absl::Time> Check(const TlsMaterial& material) {
  return CheckTlsMaterial(material, {"cert.pem", "cert.key", "ca.pem"}, kNow);
}

std::string Fault(const TlsMaterial& material) { return std::string(Check(material).status().message()); }

TEST(CheckTlsMaterialTest, TakesAPairAndTellsWhenItExpires) {
  const absl::StatusOr<absl::Time> expires = Check(Material("server", "server"));
  ASSERT_TRUE(expires.ok()) << expires.status();
  EXPECT_EQ(*expires, absl::FromCivil(absl::CivilDay(2098, 1, 1), absl::UTCTimeZone()));
  TlsMaterial mutual = Material("server", "server");
  mutual.client_roots = TestCertificate("other_ca.pem") + TestCertificate("ca.pem");
  EXPECT_TRUE(Check(mutual).ok());
  mutual.chain += TestCertificate("ca.pem");
  EXPECT_TRUE(Check(mutual).ok());
}

TEST(CheckTlsMaterialTest, TakesAFileThatHoldsBoth) {
  TlsMaterial both = Material("server", "server");
  both.chain = both.key = both.key + both.chain;
  EXPECT_TRUE(Check(both).ok()) << Check(both).status();
}

TEST(CheckTlsMaterialTest, RefusesAKeyThatIsNotTheCertificates) {
  EXPECT_THAT(Fault(Material("server", "renewed")), HasSubstr("cert.key: the key is not that of the certificate"));
  EXPECT_THAT(Fault(Material("server", "altered")), HasSubstr("cert.key: the key is damaged"));
  EXPECT_THAT(Fault(Material("server", "encrypted")), HasSubstr("cert.key: the key is encrypted"));
}

TEST(CheckTlsMaterialTest, RefusesWhatIsNotValidNow) {
  EXPECT_EQ(Fault(Material("expired", "expired")), "cert.pem: the certificate expired at 2021-01-01 00:00:00 UTC");
  EXPECT_EQ(Fault(Material("future", "future")),
            "cert.pem: the certificate is not valid before 2099-01-01 00:00:00 UTC");
  TlsMaterial chain = Material("server", "server");
  chain.chain += TestCertificate("expired.pem");
  EXPECT_THAT(Fault(chain), HasSubstr("expired at"));
}

TEST(CheckTlsMaterialTest, RefusesWhatIsNoPem) {
  TlsMaterial material = Material("server", "server");
  material.chain = "hello";
  EXPECT_THAT(Fault(material), HasSubstr("cert.pem: there is no certificate in it"));
  material.chain = "";
  EXPECT_THAT(Fault(material), HasSubstr("cert.pem: there is no certificate in it"));
  material = Material("server", "server");
  material.key.resize(material.key.size() / 2);
  EXPECT_THAT(Fault(material), HasSubstr("cert.key: there is no private key in it"));
  material = Material("server", "server");
  material.chain.resize(material.chain.size() / 2);
  EXPECT_THAT(Fault(material), HasSubstr("cert.pem: a certificate in it is damaged"));
  material = Material("server", "server");
  material.chain += material.chain.substr(0, material.chain.size() / 2);
  EXPECT_THAT(Fault(material), HasSubstr("cert.pem: a certificate in it is damaged"));
  material = Material("server", "server");
  material.client_roots = "hello";
  EXPECT_THAT(Fault(material), HasSubstr("ca.pem: there is no certificate in it"));
}

TEST(CheckTlsMaterialTest, TakesRootsOfWhichOneIsValid) {
  TlsMaterial material = Material("server", "server");
  material.client_roots = TestCertificate("expired.pem");
  EXPECT_THAT(Fault(material), HasSubstr("ca.pem: the certificate expired"));
  material.client_roots += TestCertificate("ca.pem");
  EXPECT_TRUE(Check(material).ok());
}

TEST(CheckTlsMaterialTest, NeverQuotesAKey) {
  const std::string key = TestCertificate("server.key");
  TlsMaterial material = Material("renewed", "server");
  material.client_roots = key;
  EXPECT_FALSE(absl::StrContains(Fault(material), key.substr(40, 20)));
}

}  // namespace
}  // namespace hearwire
