// Vorbis in Ogg, decoded by libvorbis.
//
// libsndfile leaves out packets of audio that stand on the page of the last header, and leaks where headers are bad.

#ifndef HEARWIRE_SERVER_AUDIO_VORBIS_FILE_H_
#define HEARWIRE_SERVER_AUDIO_VORBIS_FILE_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "server/audio/decode_audio.h"
#include "server/audio/ogg_audio.h"

namespace hearwire {

class VorbisFile final : public OggAudio {
 public:
  // The link's bytes must outlive this. INVALID_ARGUMENT: the headers are damaged, cut off, or longer than
  // OggPackets::kMaxPacketBytes each; more channels than the limits allow. Reading them is one piece of work.
  static absl::StatusOr<std::unique_ptr<VorbisFile>> Open(const OggLink& link, const AudioLimits& limits);
  ~VorbisFile() override;

 private:
  struct Decoder;

  VorbisFile(const OggLink& link, OggPackets packets, const OggSpan& span, const Format& format,
             std::unique_ptr<Decoder> decoder);
  bool Decode(std::string_view packet, std::vector<float>* values) override;

  const std::unique_ptr<Decoder> decoder_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_VORBIS_FILE_H_
