#include "server/tls/tls_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/fixtures/certificates.h"

namespace hearwire {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

const absl::Time kNow = absl::FromCivil(absl::CivilDay(2026, 6, 1), absl::UTCTimeZone());

class TlsStoreTest : public testing::Test {
 protected:
  TlsStoreTest() {
    std::string folder = testing::TempDir() + "hearwire-tls-XXXXXX";
    folder_ = mkdtemp(folder.data());
    Put("cert.pem", "server.pem");
    Put("cert.key", "server.key");
    Put("clients.pem", "ca.pem");
  }
  ~TlsStoreTest() override { fs::remove_all(folder_); }

  // Replaces a file as a program does that renews certificates: under its name there is always a whole one.
  void Put(const std::string& name, const std::string& certificate) const {
    std::ofstream(folder_ + "/new") << TestCertificate(certificate);
    fs::rename(folder_ + "/new", folder_ + "/" + name);
  }
  TlsFiles Files() const { return {folder_ + "/cert.pem", folder_ + "/cert.key", folder_ + "/clients.pem"}; }
  std::shared_ptr<TlsStore> Create() const { return TlsStore::Create(Files(), kNow).value(); }

  std::string folder_;
};

TEST_F(TlsStoreTest, HoldsWhatItsFilesHold) {
  const auto store = Create();
  EXPECT_EQ(store->current().material->chain, TestCertificate("server.pem"));
  EXPECT_EQ(store->current().material->key, TestCertificate("server.key"));
  EXPECT_EQ(store->current().material->client_roots, TestCertificate("ca.pem"));
  EXPECT_TRUE(store->asks_for_client_certificate());
  EXPECT_FALSE(store->Reload(kNow).has_value()) << "nothing is new";
}

TEST_F(TlsStoreTest, IsNotMadeOfBadFilesAndNamesTheFlag) {
  Put("cert.pem", "expired.pem");
  EXPECT_THAT(TlsStore::Create(Files(), kNow).status().message(),
              AllOf(HasSubstr("--tls-key " + folder_ + "/cert.key"), HasSubstr("is not that of")));
  Put("cert.key", "expired.key");
  EXPECT_THAT(TlsStore::Create(Files(), kNow).status().message(),
              AllOf(HasSubstr("--tls-cert " + folder_ + "/cert.pem"), HasSubstr("expired")));
  fs::remove(folder_ + "/cert.pem");
  EXPECT_THAT(TlsStore::Create(Files(), kNow).status().message(),
              AllOf(HasSubstr("--tls-cert: " + folder_ + "/cert.pem cannot be read")));
  Put("cert.pem", "server.pem");
  Put("cert.key", "server.key");
  std::ofstream(folder_ + "/clients.pem").close();
  EXPECT_THAT(TlsStore::Create(Files(), kNow).status().message(),
              AllOf(HasSubstr("--tls-client-ca"), HasSubstr("empty")));
}

TEST_F(TlsStoreTest, KeepsTheOldPairWhileTheNewOneIsHalfRenewed) {
  const auto store = Create();
  Put("cert.pem", "renewed.pem");
  const std::optional<absl::Status> half = store->Reload(kNow);
  ASSERT_TRUE(half.has_value());
  EXPECT_THAT(half->message(), HasSubstr("is not that of the certificate"));
  EXPECT_EQ(store->current().material->chain, TestCertificate("server.pem"));
  EXPECT_EQ(store->current().generation, 1);
  EXPECT_FALSE(store->Reload(kNow).has_value()) << "the same fault is told once";
  Put("cert.key", "renewed.key");
  ASSERT_TRUE(store->Reload(kNow).has_value());
  EXPECT_EQ(store->current().material->chain, TestCertificate("renewed.pem"));
  EXPECT_EQ(store->current().material->key, TestCertificate("renewed.key"));
  EXPECT_EQ(store->current().generation, 2);
  EXPECT_FALSE(store->Reload(kNow).has_value());
}

TEST_F(TlsStoreTest, TellsANewFaultAndWhenAllIsWellAgain) {
  const auto store = Create();
  fs::remove(folder_ + "/cert.key");
  EXPECT_THAT(store->Reload(kNow)->message(), HasSubstr("cannot be read"));
  Put("cert.key", "altered.key");
  EXPECT_THAT(store->Reload(kNow)->message(), HasSubstr("damaged"));
  Put("cert.key", "server.key");
  EXPECT_TRUE(store->Reload(kNow)->ok());
}

TEST_F(TlsStoreTest, TakesAPairWhenItsTimeHasCome) {
  const auto store = Create();
  Put("cert.pem", "future.pem");
  Put("cert.key", "future.key");
  EXPECT_THAT(store->Reload(kNow)->message(), HasSubstr("not valid before"));
  const absl::Time later = absl::FromCivil(absl::CivilDay(2099, 2, 1), absl::UTCTimeZone());
  // The clients' root has expired by then.
  EXPECT_THAT(store->Reload(later)->message(), HasSubstr("--tls-client-ca"));
  EXPECT_TRUE(TlsStore::Create({folder_ + "/cert.pem", folder_ + "/cert.key"}, later).ok());
}

TEST_F(TlsStoreTest, FollowsTheRootsOfClients) {
  const auto store = Create();
  Put("clients.pem", "other_ca.pem");
  EXPECT_TRUE(store->Reload(kNow)->ok());
  EXPECT_EQ(store->current().material->client_roots, TestCertificate("other_ca.pem"));
}

}  // namespace
}  // namespace hearwire
