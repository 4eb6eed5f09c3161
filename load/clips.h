// The clips that requests carry.

#ifndef HEARWIRE_LOAD_CLIPS_H_
#define HEARWIRE_LOAD_CLIPS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "hearwire/v1/embedding.pb.h"

namespace hearwire::load {

struct Clip {
  v1::Audio audio;
  double seconds = 0;  // 0 where they are not known.
};

// Noise that swells and fades, 16 bits a sample; the same seed makes the same clip.
Clip NoiseClip(double seconds, int sample_rate_hz, uint64_t seed);

// The whole file. A file that is not audio is sent too, with 0 seconds: the server shall say so. NOT_FOUND,
// PERMISSION_DENIED, INVALID_ARGUMENT: it cannot be read, or is empty.
absl::StatusOr<Clip> FileClip(const std::string& path);

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_CLIPS_H_
