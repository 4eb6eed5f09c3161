// The list of tokens in force, followed from its file.

#ifndef HEARWIRE_SERVER_ACCESS_TOKEN_STORE_H_
#define HEARWIRE_SERVER_ACCESS_TOKEN_STORE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/access/token_list.h"
#include "server/concurrency/mutex.h"
#include "server/files/followed_file.h"

namespace hearwire {

// Thread-safe.
class TokenStore {
 public:
  // known_methods: as TokenList::Parse. Not OK: one line that names the flag, the file, and what is wrong.
  static absl::StatusOr<std::unique_ptr<TokenStore>> Create(const std::string& path,
                                                            std::vector<std::string> known_methods);

  // Takes the file when it has changed and is right. OK: another list is in force. Not OK: the old one is kept; said
  // once for each new fault. Nothing: there is nothing to tell.
  std::optional<absl::Status> Reload();

  // Not OK: why the file as it was looked at last is not in force.
  absl::Status status() {
    MutexLock lock(&reload_mu_);
    return last_;
  }

  // In force at this moment; never null.
  std::shared_ptr<const TokenList> current() const;

 private:
  TokenStore(const std::string& path, std::vector<std::string> known_methods)
      : known_methods_(std::move(known_methods)), file_(path) {}

  absl::Status Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(reload_mu_);

  const std::vector<std::string> known_methods_;
  Mutex reload_mu_;  // Never held by those who ask for the list.
  FollowedFile file_ ABSL_GUARDED_BY(reload_mu_);
  absl::Status last_ ABSL_GUARDED_BY(reload_mu_);
  mutable Mutex mu_;
  std::shared_ptr<const TokenList> current_ ABSL_GUARDED_BY(mu_);
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_ACCESS_TOKEN_STORE_H_
