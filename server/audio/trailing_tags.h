// Tags that programs append to files of any format.

#ifndef HEARWIRE_SERVER_AUDIO_TRAILING_TAGS_H_
#define HEARWIRE_SERVER_AUDIO_TRAILING_TAGS_H_

#include <string_view>

namespace hearwire {

// Without the ID3v1 and APE tags at its end, in which a decoder would look for frames.
std::string_view WithoutTrailingTags(std::string_view bytes);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_TRAILING_TAGS_H_
