// Which kind of file some bytes are, by what they begin with.

#ifndef HEARWIRE_SERVER_AUDIO_FILE_FORMAT_H_
#define HEARWIRE_SERVER_AUDIO_FILE_FORMAT_H_

#include <string_view>

#include "absl/status/statusor.h"

namespace hearwire {

// What error messages say is accepted.
inline constexpr char kAcceptedFiles[] =
    "WAV, FLAC, Ogg (Vorbis, Opus, FLAC), MP3, AIFF, AU and CAF files are accepted";

// kWav: RIFF, RIFX, RF64 and BW64.
enum class FileFormat { kWav, kW64, kAiff, kAu, kCaf, kFlac, kOgg, kMp3 };

struct RecognizedFile {
  FileFormat format;
  std::string_view bytes;  // Without the ID3v2 tags in front.
};

// At most so many ID3v2 tags are walked over.
inline constexpr int kMaxId3Tags = 100;

// Says nothing about whether the rest is sound. INVALID_ARGUMENT: empty, or of another format (the message says what is
// accepted, and what the file is where that can be told); a tag longer than the file; more than kMaxId3Tags of them.
absl::StatusOr<RecognizedFile> RecognizeFile(std::string_view bytes);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_FILE_FORMAT_H_
