#include "server/audio/vorbis_file.h"

#include <vorbis/codec.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/audio/limits.h"

namespace hearwire {
namespace {

constexpr int kHeaderCount = 3;

// libvorbis takes the first packet of a stream for its first header.
ogg_packet AsOggPacket(std::string_view bytes, int64_t number) {
  ogg_packet packet = {};
  // Read only: libogg has one type for both.
  packet.packet = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
  packet.bytes = static_cast<long>(bytes.size());  // NOLINT(google-runtime-int): libogg's type.
  packet.b_o_s = number == 0 ? 1 : 0;
  packet.granulepos = -1;  // Positions are OggAudio's business.
  packet.packetno = number;
  return packet;
}

absl::Status HeaderError() {
  return absl::InvalidArgumentError("the header of the Ogg Vorbis file is damaged or cut off");
}

}  // namespace

struct VorbisFile::Decoder {
  Decoder() {
    vorbis_info_init(&info);
    vorbis_comment_init(&comment);
  }
  ~Decoder() {
    if (has_block) vorbis_block_clear(&block);
    if (has_state) vorbis_dsp_clear(&state);
    vorbis_comment_clear(&comment);
    vorbis_info_clear(&info);
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  bool ReadHeaders(OggPackets* packets) {
    for (; packet_count < kHeaderCount; ++packet_count) {
      const std::optional<OggPacket> packet = packets->Next();
      if (!packet) return false;
      ogg_packet header = AsOggPacket(packet->bytes, packet_count);
      if (vorbis_synthesis_headerin(&info, &comment, &header) != 0) return false;
    }
    return info.channels > 0 && info.rate > 0;
  }

  bool Start() {
    has_state = vorbis_synthesis_init(&state, &info) == 0;
    has_block = has_state && vorbis_block_init(&state, &block) == 0;
    return has_block;
  }

  vorbis_info info = {};
  vorbis_comment comment = {};
  vorbis_dsp_state state = {};
  vorbis_block block = {};
  bool has_state = false;
  bool has_block = false;
  int64_t packet_count = 0;
};

absl::StatusOr<std::unique_ptr<VorbisFile>> VorbisFile::Open(const OggLink& link, const AudioLimits& limits) {
  OggPackets packets(link.pages);
  auto decoder = std::make_unique<Decoder>();
  if (!decoder->ReadHeaders(&packets)) return HeaderError();
  const Format format = {.sample_rate_hz = decoder->info.rate, .channel_count = decoder->info.channels};
  // Before the decoder, which holds some kilobytes for each.
  if (absl::Status status = CheckChannelCount(format.channel_count, limits); !status.ok()) return status;
  if (!decoder->Start()) return HeaderError();
  // A block and the one before it make a quarter of both; the first one nothing.
  int64_t last_block = 0;
  const auto units = [&](std::string_view bytes) -> int64_t {
    ogg_packet packet = AsOggPacket(bytes, kHeaderCount);
    const int64_t block = vorbis_packet_blocksize(&decoder->info, &packet);
    if (block < 0) return -1;
    const int64_t before = std::exchange(last_block, block);
    return before == 0 ? 0 : (before + block) / 4;
  };
  const OggSpan span = FindOggSpan(packets, link.last_position, units);
  return std::unique_ptr<VorbisFile>(new VorbisFile(link, std::move(packets), span, format, std::move(decoder)));
}

VorbisFile::VorbisFile(const OggLink& link, OggPackets packets, const OggSpan& span, const Format& format,
                       std::unique_ptr<Decoder> decoder)
    : OggAudio(link, std::move(packets), span, format), decoder_(std::move(decoder)) {}

VorbisFile::~VorbisFile() = default;

bool VorbisFile::Decode(std::string_view bytes, std::vector<float>* values) {
  values->clear();
  if (bytes.empty()) return true;  // Some muxers write such.
  ogg_packet packet = AsOggPacket(bytes, decoder_->packet_count++);
  if (vorbis_synthesis(&decoder_->block, &packet) != 0) return false;
  vorbis_synthesis_blockin(&decoder_->state, &decoder_->block);
  float** planes = nullptr;
  for (int count = 0; (count = vorbis_synthesis_pcmout(&decoder_->state, &planes)) > 0;) {
    for (int i = 0; i < count; ++i) {
      for (int channel = 0; channel < decoder_->info.channels; ++channel) values->push_back(planes[channel][i]);
    }
    vorbis_synthesis_read(&decoder_->state, count);
  }
  return true;
}

}  // namespace hearwire
