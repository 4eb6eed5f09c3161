#include "server/exposure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace hearwire {
namespace {

using ::testing::HasSubstr;

TEST(ExposureTest, KnowsWhatOnlyThisMachineReaches) {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]"})
    EXPECT_TRUE(IsLoopback(host)) << host;
  for (const char* host : {"0.0.0.0", "::", "10.0.0.7", "example.com", "1127.0.0.1", "127"}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

TEST(ExposureTest, RefusesOptionsThatDoNotGoTogether) {
  ServerOptions options;
  EXPECT_TRUE(CheckExposure(options).ok());
  options.tls_client_ca = "ca.pem";
  EXPECT_THAT(CheckExposure(options).message(), HasSubstr("--tls-client-ca is given without --tls-cert"));
  options.tls_cert = "cert.pem";
  EXPECT_THAT(CheckExposure(options).message(), HasSubstr("--tls-cert is given without --tls-key"));
  options.tls_key = "cert.key";
  EXPECT_TRUE(CheckExposure(options).ok());
  options.tls_cert.clear();
  EXPECT_THAT(CheckExposure(options).message(), HasSubstr("--tls-key is given without --tls-cert"));
}

TEST(ExposureTest, RefusesTokensThatAnybodyCouldRead) {
  ServerOptions options;
  options.tokens_file = "tokens";
  EXPECT_TRUE(CheckExposure(options).ok()) << "they stay in this machine";
  options.host = "0.0.0.0";
  EXPECT_THAT(CheckExposure(options).message(), HasSubstr("--tokens-file without TLS on 0.0.0.0"));
  options.plaintext_tokens = PlaintextTokens::kAllow;
  EXPECT_TRUE(CheckExposure(options).ok());
  EXPECT_FALSE(WarnOfExposure(options).has_value());
  options.plaintext_tokens = PlaintextTokens::kRefuse;
  options.tls_cert = options.tls_key = "file";
  EXPECT_TRUE(CheckExposure(options).ok());
}

TEST(ExposureTest, RefusesTheNameOfASocketThatTheSystemCannotHold) {
  ServerOptions options;
  options.unix_socket = std::string(107, 'x');
  EXPECT_TRUE(CheckExposure(options).ok());
  options.unix_socket += 'x';
  EXPECT_THAT(CheckExposure(options).message(), HasSubstr("at most 107 bytes, this one 108"));
}

TEST(ExposureTest, WarnsOfWhatIsOpenToAll) {
  ServerOptions options;
  EXPECT_FALSE(WarnOfExposure(options).has_value()) << "only this machine reaches it";
  options.host = "0.0.0.0";
  EXPECT_THAT(WarnOfExposure(options).value(), HasSubstr("may read"));
  options.tls_cert = options.tls_key = "file";
  EXPECT_THAT(WarnOfExposure(options).value(), HasSubstr("may call"));
  options.tls_client_ca = "file";
  EXPECT_FALSE(WarnOfExposure(options).has_value());
}

}  // namespace
}  // namespace hearwire
