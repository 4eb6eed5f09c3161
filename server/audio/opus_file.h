// Opus in Ogg (RFC 7845), decoded by libopus.
//
// libsndfile takes the input sample rate in the header, which says only what the encoder was given, for the rate to
// decode at: what it then makes of a stream is another sound, or half of its band.

#ifndef HEARWIRE_SERVER_AUDIO_OPUS_FILE_H_
#define HEARWIRE_SERVER_AUDIO_OPUS_FILE_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "server/audio/decode_audio.h"
#include "server/audio/ogg_audio.h"

struct OpusMSDecoder;  // libopus's.

namespace hearwire {

// Always at 48 kHz. The header's gain is applied; tags of loudness (R128) are not.
class OpusFile final : public OggAudio {
 public:
  // The link's bytes must outlive this. INVALID_ARGUMENT: the header is damaged, of a later version, or of a mapping
  // of channels other than 0, 1 (Vorbis' order) and 255 (none); more channels than the limits allow.
  static absl::StatusOr<std::unique_ptr<OpusFile>> Open(const OggLink& link, const AudioLimits& limits);
  ~OpusFile() override;

 private:
  OpusFile(const OggLink& link, OggPackets packets, const OggSpan& span, const Format& format, OpusMSDecoder* decoder)
      : OggAudio(link, std::move(packets), span, format), decoder_(decoder) {}
  bool Decode(std::string_view packet, std::vector<float>* values) override;

  OpusMSDecoder* const decoder_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_OPUS_FILE_H_
