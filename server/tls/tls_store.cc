#include "server/tls/tls_store.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

std::string Named(const char* flag, const std::string& file) { return absl::StrCat(flag, " ", file); }

}  // namespace

TlsStore::TlsStore(const TlsFiles& files)
    : names_{Named("--tls-cert", files.certificate), Named("--tls-key", files.key),
             Named("--tls-client-ca", files.client_ca)},
      asks_for_client_certificate_(!files.client_ca.empty()),
      certificate_(files.certificate),
      key_(files.key) {
  if (!files.client_ca.empty()) client_ca_.emplace(files.client_ca);
}

absl::StatusOr<std::shared_ptr<TlsStore>> TlsStore::Create(const TlsFiles& files, absl::Time now) {
  std::shared_ptr<TlsStore> store(new TlsStore(files));
  MutexLock lock(&store->reload_mu_);
  if (absl::Status status = store->Load(now); !status.ok()) return status;
  return store;
}

absl::Status TlsStore::Load(absl::Time now) {
  TlsMaterial material;
  const auto read = [](FollowedFile* file, const char* flag, std::string* text) {
    absl::StatusOr<std::string> found = file->Read();
    if (!found.ok()) return absl::FailedPreconditionError(absl::StrCat(flag, ": ", found.status().message()));
    *text = *std::move(found);
    return absl::OkStatus();
  };
  // All of them, also after a fault: each has then been looked at.
  absl::Status status = read(&certificate_, "--tls-cert", &material.chain);
  status.Update(read(&key_, "--tls-key", &material.key));
  if (client_ca_) status.Update(read(&*client_ca_, "--tls-client-ca", &material.client_roots));
  if (!status.ok()) return status;
  if (client_ca_ && material.client_roots.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(names_.client_roots, ": the file is empty"));
  }
  const absl::StatusOr<absl::Time> expires = CheckTlsMaterial(material, names_, now);
  if (!expires.ok()) return expires.status();
  auto checked = std::make_shared<const TlsMaterial>(std::move(material));
  MutexLock lock(&mu_);
  current_ = {std::move(checked), current_.generation + 1, *expires};
  return absl::OkStatus();
}

std::optional<absl::Status> TlsStore::Reload(absl::Time now) {
  MutexLock lock(&reload_mu_);
  const bool changed =
      certificate_.HasChanged() || key_.HasChanged() || (client_ca_.has_value() && client_ca_->HasChanged());
  // What was bad may have become good without a change: the time has come from which a certificate is valid.
  if (!changed && last_.ok()) return std::nullopt;
  const absl::Status before = std::exchange(last_, Load(now));
  if (!last_.ok() && last_ == before) return std::nullopt;
  return last_;
}

TlsStore::Current TlsStore::current() const {
  MutexLock lock(&mu_);
  return current_;
}

}  // namespace hearwire
