// The packets of one stream of an Ogg file, in order.

#ifndef HEARWIRE_SERVER_AUDIO_OGG_PACKETS_H_
#define HEARWIRE_SERVER_AUDIO_OGG_PACKETS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "server/audio/ogg_page.h"

namespace hearwire {

struct OggPacket {
  std::string_view bytes;
  int64_t position = -1;  // Its page's, if it is the last one to end there and the page has one.
};

// Where pages are missing, a packet that is not whole is left out. Holds one packet at most. Copies are readers of
// their own, at the same place.
class OggPackets {
 public:
  // A packet that goes on beyond that ends the stream. Headers with pictures are long.
  static constexpr size_t kMaxPacketBytes = size_t{16} << 20;

  // `pages`: whole pages of one stream. They must outlive this.
  explicit OggPackets(std::string_view pages) : rest_(pages) {}

  // The next packet, a view that holds until the next call; nothing: there is none.
  std::optional<OggPacket> Next();

  // A packet was too long.
  bool is_faulty() const { return is_faulty_; }

 private:
  bool NextPage();

  std::string_view rest_;  // The pages behind this one.
  OggPage page_;
  size_t segment_ = 0;  // Of this page: the next one.
  size_t body_offset_ = 0;
  size_t last_end_ = 0;  // One behind the last segment in which a packet ends.
  bool has_page_ = false;
  std::string part_;  // Of a packet that goes on from page to page.
  bool has_part_ = false;
  bool gave_part_ = false;  // It was returned, and may go.
  bool is_faulty_ = false;
};

// Where a stream's audio begins and ends, by its pages' positions.
struct OggSpan {
  int64_t begin = 0;    // Above 0 for recordings that begin in the middle.
  int64_t end = 0;      // 0: it is not known.
  int64_t surplus = 0;  // Units at the front that are to be left out: the first page's packets have more than it says.
};

// units: how many units a packet makes, -1 for one that is no audio. packets: at the first packet of audio.
// last_position: of the stream. Looks at the first few pages' packets, kMaxSpanPackets at most.
inline constexpr int kMaxSpanPackets = 4096;
OggSpan FindOggSpan(OggPackets packets, int64_t last_position,
                    const std::function<int64_t(std::string_view packet)>& units);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_OGG_PACKETS_H_
