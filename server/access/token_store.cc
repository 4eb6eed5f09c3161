#include "server/access/token_store.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace hearwire {

absl::StatusOr<std::unique_ptr<TokenStore>> TokenStore::Create(const std::string& path,
                                                               std::vector<std::string> known_methods) {
  std::unique_ptr<TokenStore> store(new TokenStore(path, std::move(known_methods)));
  MutexLock lock(&store->reload_mu_);
  if (absl::Status status = store->Load(); !status.ok()) return status;
  return store;
}

absl::Status TokenStore::Load() {
  const absl::StatusOr<std::string> text = file_.Read();
  if (!text.ok()) return absl::FailedPreconditionError(absl::StrCat("--tokens-file: ", text.status().message()));
  absl::StatusOr<TokenList> list = TokenList::Parse(*text, known_methods_);
  if (!list.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--tokens-file ", file_.path(), ": ", list.status().message()));
  }
  auto parsed = std::make_shared<const TokenList>(*std::move(list));
  MutexLock lock(&mu_);
  current_ = std::move(parsed);
  return absl::OkStatus();
}

std::optional<absl::Status> TokenStore::Reload() {
  MutexLock lock(&reload_mu_);
  if (!file_.HasChanged()) return std::nullopt;
  const absl::Status before = std::exchange(last_, Load());
  if (!last_.ok() && last_ == before) return std::nullopt;
  return last_;
}

std::shared_ptr<const TokenList> TokenStore::current() const {
  MutexLock lock(&mu_);
  return current_;
}

}  // namespace hearwire
