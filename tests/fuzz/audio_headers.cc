// Everything that reads an audio file's headers without decoding it.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "server/audio/decode_audio.h"
#include "server/audio/file_format.h"
#include "server/audio/flac_file.h"
#include "server/audio/mp3_frames.h"
#include "server/audio/ogg_file.h"
#include "server/audio/ogg_packets.h"
#include "server/audio/sample_file.h"
#include "server/audio/trailing_tags.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using hearwire::FileFormat;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  hearwire::CountDecodedSamples(hearwire::EncodedAudio{bytes}, {}, 32000);
  hearwire::FindMp3(hearwire::WithoutTrailingTags(bytes));
  const auto file = hearwire::RecognizeFile(bytes);
  if (!file.ok()) return 0;
  if (file->format == FileFormat::kFlac) {
    (void)hearwire::ParseFlacFile(file->bytes);
  } else if (file->format == FileFormat::kOgg) {
    hearwire::OggScan scan(file->bytes);
    absl::StatusOr<bool> done = false;
    while (done.ok() && !*done) done = scan.Step(1000);
    if (!done.ok()) return 0;
    for (const hearwire::OggLink& link : scan.links()) {
      hearwire::OggPackets packets(link.pages);
      while (packets.Next()) {
      }
      const auto units = [](std::string_view packet) { return static_cast<int64_t>(packet.size()) - 1; };
      hearwire::FindOggSpan(hearwire::OggPackets(link.pages), link.last_position, units);
    }
  } else if (file->format != FileFormat::kMp3) {
    (void)hearwire::ParseSampleFile(file->format, file->bytes);
  }
  return 0;
}
