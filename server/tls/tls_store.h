// The certificate that new connections get, followed from its files.
//
// Files change one after the other and while they are written. So a pair is checked whole before anyone sees it, and
// while the files are bad the last good pair stays in use.

#ifndef HEARWIRE_SERVER_TLS_TLS_STORE_H_
#define HEARWIRE_SERVER_TLS_TLS_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/concurrency/mutex.h"
#include "server/files/followed_file.h"
#include "server/tls/check_tls_material.h"

namespace hearwire {

struct TlsFiles {
  std::string certificate;     // --tls-cert
  std::string key;             // --tls-key; may be the same file.
  std::string client_ca = {};  // --tls-client-ca. Empty: clients need no certificate.
};

// Thread-safe.
class TlsStore {
 public:
  // FAILED_PRECONDITION names the flag and the file, and says what is wrong with it.
  static absl::StatusOr<std::shared_ptr<TlsStore>> Create(const TlsFiles& files, absl::Time now);

  // Looks whether the files have changed, or were bad the last time, and takes what is good. OK: new material is in
  // use. Not OK: what was is kept; said once for each new fault. Nothing: there is nothing to tell.
  std::optional<absl::Status> Reload(absl::Time now);

  // Not OK: why the files as they were looked at last are not in use.
  absl::Status status() {
    MutexLock lock(&reload_mu_);
    return last_;
  }

  struct Current {
    std::shared_ptr<const TlsMaterial> material;
    int64_t generation;  // Grows with each new material.
    absl::Time expires;  // The first certificate of the chain that does.
  };
  Current current() const;

  bool asks_for_client_certificate() const { return asks_for_client_certificate_; }

 private:
  explicit TlsStore(const TlsFiles& files);

  absl::Status Load(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(reload_mu_);

  const TlsMaterialNames names_;
  const bool asks_for_client_certificate_;

  Mutex reload_mu_;  // Never held by those who ask for the current material.
  FollowedFile certificate_ ABSL_GUARDED_BY(reload_mu_);
  FollowedFile key_ ABSL_GUARDED_BY(reload_mu_);
  std::optional<FollowedFile> client_ca_ ABSL_GUARDED_BY(reload_mu_);
  absl::Status last_ ABSL_GUARDED_BY(reload_mu_);

  mutable Mutex mu_;
  Current current_ ABSL_GUARDED_BY(mu_) = {nullptr, 0, absl::InfinitePast()};
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_TLS_TLS_STORE_H_
