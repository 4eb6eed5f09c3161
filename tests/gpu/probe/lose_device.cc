#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/gpu/probe/break_device.h"
#include "tests/gpu/probe/commands.h"

namespace hearwire {

absl::Status LoseDevice(const Setting& setting, double width) {
  const absl::StatusOr<LoadedNetwork> loaded = LoadRandomNetwork(setting, width);
  if (!loaded.ok()) return loaded.status();
  const auto embedder = StartEmbedder(setting, width, *loaded);
  if (!embedder.ok()) return embedder.status();
  Work work = MakeRandomWork(*loaded->weights, 16, 4, BodyReadout());
  if (absl::Status status = (*embedder)->Embed(0, work.requests); !status.ok()) return status;
  if (absl::Status status = BreakCudaContext(); !status.ok()) return status;
  const absl::Status next = (*embedder)->Embed(0, work.requests);
  const absl::Status later = (*embedder)->Embed(0, work.requests);
  const absl::Status other = loaded->backend->NewEmbedder().status();
  std::printf("  next batch: %s\n  the one after it: %s\n  a new embedder: %s\n", next.ToString().c_str(),
              later.ToString().c_str(), other.ToString().c_str());
  std::printf("RESULT device_lost %s next=%s later=%s new_embedder=%s\n", ToText(setting).c_str(),
              absl::StatusCodeToString(next.code()).c_str(), absl::StatusCodeToString(later.code()).c_str(),
              absl::StatusCodeToString(other.code()).c_str());
  if (!absl::IsUnavailable(next) || !absl::IsUnavailable(later)) {
    return absl::InternalError("the device is lost, and a batch does not say UNAVAILABLE");
  }
  return absl::OkStatus();
}

}  // namespace hearwire
