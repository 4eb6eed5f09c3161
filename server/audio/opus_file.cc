#include "server/audio/opus_file.h"

#include <opus_multistream.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/audio/limits.h"

namespace hearwire {
namespace {

constexpr int kRateHz = 48000;
constexpr int kMaxPacketSamples = 5760;  // 120 ms.

struct OpusHead {
  int channel_count = 0;
  int pre_skip = 0;
  int gain = 0;  // In 1/256 dB.
  int stream_count = 1;
  int coupled_count = 0;
  std::string mapping;  // Of each channel.
};

template <typename... Parts>
absl::Status HeaderError(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("the header of the Opus file is damaged: ", parts...));
}

absl::StatusOr<OpusHead> ParseHead(std::string_view packet) {
  if (packet.size() < 19) return HeaderError("it has ", packet.size(), " bytes; there are 19 at least");
  const auto byte = [packet](size_t i) { return static_cast<uint8_t>(packet[i]); };
  if (byte(8) > 15) {
    return absl::InvalidArgumentError(absl::StrCat("version ", byte(8), " of Opus in Ogg; up to 15 are accepted"));
  }
  OpusHead head;
  head.channel_count = byte(9);
  head.pre_skip = byte(10) | byte(11) << 8;
  head.gain = static_cast<int16_t>(byte(16) | byte(17) << 8);
  const int family = byte(18);
  if (head.channel_count == 0) return HeaderError("it claims 0 channels");
  if (family == 0) {
    if (head.channel_count > 2) return HeaderError(head.channel_count, " channels without a mapping");
    head.coupled_count = head.channel_count - 1;
    head.mapping = std::string("\0\1", 2).substr(0, head.channel_count);
    return head;
  }
  if (family != 1 && family != 255) {
    return absl::InvalidArgumentError(
        absl::StrCat("Opus of channel mapping family ", family, " (ambisonics, as a rule); 0, 1 and 255 are accepted"));
  }
  const size_t mapping_end = 21 + static_cast<size_t>(head.channel_count);
  if (packet.size() < mapping_end) return HeaderError("it ends within the channel mapping");
  head.stream_count = byte(19);
  head.coupled_count = byte(20);
  head.mapping = packet.substr(21, head.channel_count);
  return head;
}

int64_t PacketSamples(std::string_view packet) {
  return opus_packet_get_nb_samples(reinterpret_cast<const unsigned char*>(packet.data()),
                                    static_cast<opus_int32>(packet.size()), kRateHz);
}

}  // namespace

absl::StatusOr<std::unique_ptr<OpusFile>> OpusFile::Open(const OggLink& link, const AudioLimits& limits) {
  OggPackets packets(link.pages);
  std::optional<OggPacket> packet = packets.Next();
  if (!packet) return HeaderError("its first page is cut off");
  const absl::StatusOr<OpusHead> head = ParseHead(packet->bytes);
  if (!head.ok()) return head.status();
  // Before the decoder, which holds some kilobytes for each.
  if (absl::Status status = CheckChannelCount(head->channel_count, limits); !status.ok()) return status;
  packet = packets.Next();
  if (!packet || !packet->bytes.starts_with("OpusTags")) return HeaderError("its second packet holds no tags");
  int error = OPUS_OK;
  OpusMSDecoder* decoder =
      opus_multistream_decoder_create(kRateHz, head->channel_count, head->stream_count, head->coupled_count,
                                      reinterpret_cast<const unsigned char*>(head->mapping.data()), &error);
  if (decoder == nullptr) return HeaderError("the channel mapping is wrong (", opus_strerror(error), ")");
  opus_multistream_decoder_ctl(decoder, OPUS_SET_GAIN(head->gain));
  const OggSpan span = FindOggSpan(packets, link.last_position, PacketSamples);
  return std::unique_ptr<OpusFile>(new OpusFile(
      link, std::move(packets), span,
      {.sample_rate_hz = kRateHz, .channel_count = head->channel_count, .pre_skip = head->pre_skip}, decoder));
}

OpusFile::~OpusFile() { opus_multistream_decoder_destroy(decoder_); }

bool OpusFile::Decode(std::string_view packet, std::vector<float>* values) {
  // An empty packet would ask the decoder to make up for a lost one.
  if (packet.empty()) return false;
  values->resize(static_cast<size_t>(kMaxPacketSamples * channel_count()));
  const int count =
      opus_multistream_decode_float(decoder_, reinterpret_cast<const unsigned char*>(packet.data()),
                                    static_cast<opus_int32>(packet.size()), values->data(), kMaxPacketSamples, 0);
  if (count < 0) return false;
  values->resize(static_cast<size_t>(count * channel_count()));
  return true;
}

}  // namespace hearwire
