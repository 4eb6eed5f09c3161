// The headers of an Ogg Vorbis file, looked at before libsndfile does: it leaks memory where they are bad.

#ifndef HEARWIRE_SERVER_AUDIO_VORBIS_HEADERS_H_
#define HEARWIRE_SERVER_AUDIO_VORBIS_HEADERS_H_

#include <string_view>

namespace hearwire {

// All three headers are there, and libvorbis accepts them. `ogg` begins with a page.
bool HasVorbisHeaders(std::string_view ogg);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_VORBIS_HEADERS_H_
