#include "server/batching/refusal.h"

#include <array>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/types/optional.h"

namespace hearwire {
namespace {

constexpr char kPayloadUrl[] = "hearwire.batching/refusal";

constexpr std::array<std::pair<Refusal, const char*>, 3> kNames = {{
    {Refusal::kQueueFull, "QUEUE_FULL"},
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

}  // namespace hearwire
