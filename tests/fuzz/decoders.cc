// A whole audio file, decoded. Pages of Ogg get right checksums, or nothing behind the check would ever be seen.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <variant>
#include <vector>

#include "server/audio/decode_audio.h"
#include "server/audio/non_finite.h"

namespace {

constexpr int kRateHz = 32000;
constexpr int kMaxSeconds = 3;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const hearwire::AudioLimits limits = {.max_decoded = absl::Seconds(kMaxSeconds)};
  const auto result =
      hearwire::DecodeAudio(hearwire::EncodedAudio{{reinterpret_cast<const char*>(data), size}}, limits, kRateHz);
  if (const auto* clip = std::get_if<std::vector<float>>(&result)) {
    if (clip->empty() || clip->size() > kMaxSeconds * kRateHz + 1 || hearwire::FindNonFinite(*clip) >= 0) std::abort();
    return 0;
  }
  const absl::StatusCode code = std::get<hearwire::AudioError>(result).status.code();
  if (code != absl::StatusCode::kInvalidArgument && code != absl::StatusCode::kResourceExhausted) std::abort();
  return 0;
}
