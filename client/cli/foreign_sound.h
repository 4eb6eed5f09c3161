// Sounds that the server does not decode, AAC, WMA and the like: the user's own ffmpeg does, where there is one.

#ifndef HEARWIRE_CLIENT_CLI_FOREIGN_SOUND_H_
#define HEARWIRE_CLIENT_CLI_FOREIGN_SOUND_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hearwire::cli {

// What the file is, "an MP4 (M4A) file", by what it begins with; nullptr: of no kind that is for ffmpeg.
const char* ForeignKind(std::string_view file);

inline constexpr absl::Duration kFfmpegTimeout = absl::Minutes(2);

// The first audio stream of `file`, which is of that kind, as a WAV file of 16-bit samples, its rate and channels kept.
// Runs ffmpeg as found on PATH, without a shell; it reads the bytes that are given here and no other file or address.
// INVALID_ARGUMENT: there is no ffmpeg (the message says how to get one), or it found the file damaged (with its
// reason). RESOURCE_EXHAUSTED: more than max_bytes. DEADLINE_EXCEEDED: it ran longer than the timeout. CANCELLED:
// interrupted. In each of these cases it has ended before this returns.
absl::StatusOr<std::string> DecodeWithFfmpeg(std::string_view file, std::string_view kind, int64_t max_bytes,
                                             absl::Duration timeout = kFfmpegTimeout);

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_FOREIGN_SOUND_H_
