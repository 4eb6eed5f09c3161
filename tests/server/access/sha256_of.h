// What a line of a tokens file begins with.

#ifndef HEARWIRE_TESTS_SERVER_ACCESS_SHA256_OF_H_
#define HEARWIRE_TESTS_SERVER_ACCESS_SHA256_OF_H_

#include <openssl/sha.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

namespace hearwire {

inline std::string Sha256Of(const std::string& token) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_SERVER_ACCESS_SHA256_OF_H_
