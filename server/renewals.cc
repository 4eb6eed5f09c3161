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
    : tls_(tls), tokens_(tokens), access_log_(access_log), looking_("renewals", kPeriod, [this] { Look(); }) {}

void Renewals::Look() {
  if (tls_ != nullptr) {
    const std::optional<absl::Status> reloaded = tls_->Reload(absl::Now());
    if (reloaded && reloaded->ok()) {
      Log(LogLevel::kInfo, "new certificate in use", {{"expires", absl::FormatTime(tls_->current().expires)}});
    } else if (reloaded) {
      Log(LogLevel::kWarning, "new certificate refused, the old one stays in use", {{"error", *reloaded}});
    }
  }
  if (tokens_ != nullptr) {
    const std::optional<absl::Status> reloaded = tokens_->Reload();
    if (reloaded && reloaded->ok()) {
      Log(LogLevel::kInfo, "new tokens in use", {{"tokens", tokens_->current()->entries().size()}});
    } else if (reloaded) {
      Log(LogLevel::kWarning, "new tokens refused, the old ones stay in use", {{"error", *reloaded}});
    }
  }
  if (access_log_ != nullptr) {
    const absl::Status before = std::exchange(access_log_status_, access_log_->ReopenIfMoved());
    if (!access_log_status_.ok() && access_log_status_ != before) {
      Log(LogLevel::kWarning, "the access log cannot be made anew", {{"error", access_log_status_}});
    }
  }
}

}  // namespace hearwire
