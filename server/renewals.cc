#include "server/renewals.h"

#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "server/telemetry/log.h"

namespace hearwire {
namespace {

constexpr absl::Duration kPeriod = absl::Seconds(1);

}  // namespace

Renewals::Renewals(TlsStore* tls, TokenStore* tokens, AccessLog* access_log)
    : tls_(tls), tokens_(tokens), access_log_(access_log), looking_("renewals", kPeriod, [this] { LookNow(); }) {}

bool Renewals::LookAtCertificate() {
  const std::optional<absl::Status> reloaded = tls_->Reload(absl::Now());
  if (!reloaded) return false;
  if (reloaded->ok()) {
    Log(LogLevel::kInfo, "new certificate in use", {{"expires", absl::FormatTime(tls_->current().expires)}});
  } else {
    Log(LogLevel::kWarning, "new certificate refused, the old one stays in use", {{"error", *reloaded}});
  }
  return reloaded->ok();
}

bool Renewals::LookAtTokens() {
  const std::optional<absl::Status> reloaded = tokens_->Reload();
  if (!reloaded) return false;
  if (reloaded->ok()) {
    Log(LogLevel::kInfo, "new tokens in use", {{"tokens", tokens_->current()->entries().size()}});
  } else {
    Log(LogLevel::kWarning, "new tokens refused, the old ones stay in use", {{"error", *reloaded}});
  }
  return reloaded->ok();
}

Renewals::Renewed Renewals::LookNow() {
  MutexLock lock(&mu_);
  Renewed renewed;
  if (tls_ != nullptr) {
    renewed.certificate = LookAtCertificate();
    renewed.status = tls_->status();
  }
  if (tokens_ != nullptr) {
    renewed.tokens = LookAtTokens();
    renewed.status.Update(tokens_->status());
  }
  if (access_log_ != nullptr) {
    const absl::Status before = std::exchange(access_log_status_, access_log_->ReopenIfMoved());
    if (!access_log_status_.ok() && access_log_status_ != before) {
      Log(LogLevel::kWarning, "the access log cannot be made anew", {{"error", access_log_status_}});
    }
  }
  return renewed;
}

}  // namespace hearwire
