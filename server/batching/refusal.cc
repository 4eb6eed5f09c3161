#include "server/batching/refusal.h"

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"

namespace hearwire {
namespace {

constexpr char kPayloadUrl[] = "hearwire.batching/refusal";
constexpr char kWaitUrl[] = "hearwire.batching/wait";

constexpr std::array<std::pair<Refusal, const char*>, 4> kNames = {{
    {Refusal::kQueueFull, "QUEUE_FULL"},
    {Refusal::kDeadlineTooShort, "DEADLINE_TOO_SHORT"},
    {Refusal::kCallTooLarge, "CALL_TOO_LARGE"},
    {Refusal::kDeviceLost, "DEVICE_LOST"},
}};

}  // namespace

absl::Status WithRefusal(absl::Status status, Refusal refusal) {
  for (const auto& [known, name] : kNames) {
    if (known == refusal) status.SetPayload(kPayloadUrl, absl::Cord(name));
  }
  return status;
}

std::optional<Refusal> RefusalOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return std::nullopt;
  for (const auto& [known, name] : kNames) {
    if (*payload == name) return known;
  }
  return std::nullopt;
}

absl::Status DeviceLost(const absl::Status& device) {
  return WithRefusal(absl::UnavailableError(absl::StrCat("the device is lost: ", device.message())),
                     Refusal::kDeviceLost);
}

absl::Status WithWait(absl::Status status, absl::Duration wait) {
  status.SetPayload(kWaitUrl, absl::Cord(absl::StrCat(absl::ToInt64Nanoseconds(wait))));
  return status;
}

std::optional<absl::Duration> WaitOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kWaitUrl);
  int64_t nanoseconds = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &nanoseconds)) return std::nullopt;
  return absl::Nanoseconds(nanoseconds);
}

}  // namespace hearwire
