// Whether a certificate and its key will do, before anybody is to use them.

#ifndef HEARWIRE_SERVER_TLS_CHECK_TLS_MATERIAL_H_
#define HEARWIRE_SERVER_TLS_CHECK_TLS_MATERIAL_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hearwire {

// What a server shows to clients and asks of them, as PEM.
struct TlsMaterial {
  std::string chain;         // The server's own certificate first, then those between it and the root.
  std::string key;           // Of the first one, not encrypted.
  std::string client_roots;  // Who may have signed a client's certificate. Empty: clients need none.
};

// Names of the parts, for messages: files, or flags and files.
struct TlsMaterialNames {
  std::string chain;
  std::string key;
  std::string client_roots;
};

// The time when the first certificate of the chain expires. FAILED_PRECONDITION, in one line that names the part: it is
// no PEM, the key is encrypted, damaged or another certificate's, OpenSSL finds the key too weak, a certificate of the
// chain has expired or is not valid yet at `now`, or none of the roots is valid.
absl::StatusOr<absl::Time> CheckTlsMaterial(const TlsMaterial& material, const TlsMaterialNames& names, absl::Time now);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_TLS_CHECK_TLS_MATERIAL_H_
