// The frames of an MP3 file, looked at before it is decoded: where the first one is, and what it says of the others.

#ifndef HEARWIRE_SERVER_AUDIO_MP3_FRAMES_H_
#define HEARWIRE_SERVER_AUDIO_MP3_FRAMES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace hearwire {

struct MpegFrame {
  int layer = 0;          // 1, 2 or 3.
  bool is_mpeg1 = false;  // Otherwise MPEG 2 or 2.5.
  bool is_mono = false;
  int padding = 0;   // Bytes.
  size_t bytes = 0;  // Header included; 0: free format, which does not say.
  int64_t samples = 0;
};

// What a frame's header says; nothing: it is none.
std::optional<MpegFrame> ReadMpegFrame(std::string_view bytes);

// Where a decoder is to begin.
struct Mp3Start {
  std::string_view frames;       // From the first frame on that is for the decoder: an info tag (Xing, LAME) is.
  size_t free_format_bytes = 0;  // Of a frame, without its padding and its header; 0: it is no free format.
  int64_t frame_samples = 0;
  // As the info tag or Fraunhofer's VBRI tag claims, which some writers count as a frame of its own.
  std::optional<int64_t> claimed_frames;
  // The bytes that the tag claims, from its own frame on, are there; nothing: it claims none.
  std::optional<bool> has_claimed_bytes;
  bool is_vbri = false;  // The tag was a VBRI tag: `frames` begins behind it.
};

// Junk before the first frame is passed over, as players do: so many bytes at most, behind an APE tag if there is one.
inline constexpr size_t kMaxMp3Junk = size_t{64} << 10;

// Finds the first frame of MPEG layer III that is followed by two like it, or by one and the end. A file that begins
// with a single frame's header is taken too, if there is nothing better. Nothing: there is none.
std::optional<Mp3Start> FindMp3(std::string_view bytes);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_MP3_FRAMES_H_
