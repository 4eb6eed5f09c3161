// Looks after files that others renew while the server runs: certificates, tokens, the access log.

#ifndef HEARWIRE_SERVER_RENEWALS_H_
#define HEARWIRE_SERVER_RENEWALS_H_

#include "absl/status/status.h"
#include "server/access/token_store.h"
#include "server/concurrency/mutex.h"
#include "server/concurrency/periodic.h"
#include "server/telemetry/access_log.h"
#include "server/tls/tls_store.h"

namespace hearwire {

class Renewals {
 public:
  // Each may be null, and outlives this. Looks every second, on a thread of its own, and logs what has changed.
  Renewals(TlsStore* tls, TokenStore* tokens, AccessLog* access_log);

  struct Renewed {
    // Since the last look others are in use.
    bool certificate = false;
    bool tokens = false;
    absl::Status status;  // Not OK: what is there now will not do, and the message names it.
  };
  // Looks at once. Thread-safe.
  Renewed LookNow() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  bool LookAtCertificate();
  bool LookAtTokens();

  TlsStore* const tls_;
  TokenStore* const tokens_;
  AccessLog* const access_log_;
  Mutex mu_;                                             // Held while it looks.
  absl::Status access_log_status_ ABSL_GUARDED_BY(mu_);  // Of the last look.
  Periodic looking_;                                     // Last: it uses the others.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RENEWALS_H_
