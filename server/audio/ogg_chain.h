// An Ogg file's streams, one after the other, as one sound.

#ifndef HEARWIRE_SERVER_AUDIO_OGG_CHAIN_H_
#define HEARWIRE_SERVER_AUDIO_OGG_CHAIN_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "server/audio/decode_audio.h"
#include "server/audio/ogg_file.h"
#include "server/audio/sample_source.h"

namespace hearwire {

// links: what OggScan found, at least one; their bytes must outlive the source. A chain claims no length. Each next
// stream is opened once the one before has ended. INVALID_ARGUMENT, also later: a header is damaged; the streams differ
// in sample rate or channels; one of several has no samples.
absl::StatusOr<std::unique_ptr<SampleSource>> OpenOgg(std::vector<OggLink> links, const AudioLimits& limits);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_OGG_CHAIN_H_
