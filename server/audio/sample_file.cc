#include "server/audio/sample_file.h"

#include "absl/status/status.h"
#include "server/audio/aiff_file.h"
#include "server/audio/au_file.h"
#include "server/audio/caf_file.h"
#include "server/audio/wav_file.h"

namespace hearwire {

absl::StatusOr<SampleFile> ParseSampleFile(FileFormat format, std::string_view bytes) {
  switch (format) {
    case FileFormat::kWav:
      return ParseWavFile(bytes);
    case FileFormat::kW64:
      return ParseW64File(bytes);
    case FileFormat::kAiff:
      return ParseAiffFile(bytes);
    case FileFormat::kAu:
      return ParseAuFile(bytes);
    case FileFormat::kCaf:
      return ParseCafFile(bytes);
    case FileFormat::kFlac:
    case FileFormat::kOgg:
    case FileFormat::kMp3:
      break;
  }
  return absl::InternalError("no file of samples");
}

}  // namespace hearwire
