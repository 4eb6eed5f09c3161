#include "server/telemetry/recent_failures.h"

#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/telemetry/log.h"

namespace hearwire {
namespace {

constexpr size_t kMost = 20;
constexpr size_t kMostOfAField = 200;  // Bytes; the caller's own may be of any length.

std::string_view Cut(std::string_view text) { return text.substr(0, kMostOfAField); }

}  // namespace

void RecentFailures::Add(const CallRecord& call, absl::Time now) {
  if (call.status.ok() || absl::IsCancelled(call.status)) return;
  const std::string message(call.status.message());
  std::string object =
      absl::StrCat("{",
                   FormatLogLine(LogFormat::kJson, Cut(message),
                                 {{"time", absl::FormatTime("%Y-%m-%d %H:%M:%S", now, absl::UTCTimeZone())},
                                  {"method", Cut(call.method)},
                                  {"config", Cut(call.config)},
                                  {"code", absl::StatusCodeToString(call.status.code())},
                                  {"request_id", Cut(call.request_id)}}),
                   "}");
  MutexLock lock(&mu_);
  objects_.push_front(std::move(object));
  if (objects_.size() > kMost) objects_.pop_back();
}

std::string RecentFailures::Json() const {
  MutexLock lock(&mu_);
  return absl::StrCat("[", absl::StrJoin(objects_, ",\n"), "]\n");
}

}  // namespace hearwire
