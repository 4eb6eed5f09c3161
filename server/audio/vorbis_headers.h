// The headers of an Ogg Vorbis file, looked at before libsndfile does: it leaks memory where they are bad.

#ifndef HEARWIRE_SERVER_AUDIO_VORBIS_HEADERS_H_
#define HEARWIRE_SERVER_AUDIO_VORBIS_HEADERS_H_

#include <cstdint>
#include <string_view>

namespace hearwire {

// Longer headers are refused: reading them is one piece of work.
inline constexpr int64_t kMaxVorbisHeaderBytes = int64_t{16} << 20;

// All three headers are there, in the first kMaxVorbisHeaderBytes, and libvorbis accepts them. `ogg` begins with a
// page.
bool HasVorbisHeaders(std::string_view ogg);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_VORBIS_HEADERS_H_
