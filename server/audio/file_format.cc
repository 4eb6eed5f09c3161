#include "server/audio/file_format.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

using namespace std::string_view_literals;

struct Signature {
  size_t offset;
  std::string_view bytes;
  const char* name;
};

// Files that people send in the belief that they would do.
constexpr Signature kRefused[] = {
    {8, "AIFF"sv, "an AIFF file"},
    {8, "AIFC"sv, "an AIFF-C file"},
    {0, ".snd"sv, "an AU file"},
    {0, "RIFX"sv, "a big-endian WAV (RIFX) file"},
    {0, "RF64"sv, "an RF64 (64-bit WAV) file"},
    {0, "BW64"sv, "a BW64 (64-bit WAV) file"},
    {0, "riff\x2e\x91\xcf\x11"sv, "a W64 (64-bit WAV) file"},
    {8, "AVI "sv, "an AVI file"},
    {0, "caff"sv, "a CAF file"},
    {4, "ftyp"sv, "an MP4 (M4A) file"},
    {0, "\x1a\x45\xdf\xa3"sv, "a WebM (Matroska) file"},
    {0, "\x30\x26\xb2\x75"sv, "a WMA (ASF) file"},
    {0, "wvpk"sv, "a WavPack file"},
    {0, "MThd"sv, "a MIDI file"},
    {0, "#!AMR"sv, "an AMR file"},
    {0, "ADIF"sv, "an AAC file"},
};

bool Has(std::string_view bytes, size_t offset, std::string_view expected) {
  return bytes.size() >= offset && bytes.substr(offset).starts_with(expected);
}

uint8_t Byte(std::string_view bytes, size_t i) { return static_cast<uint8_t>(bytes[i]); }

// MPEG's name of what a frame header's layer bits mean; nullptr: no frame header.
const char* MpegLayer(std::string_view bytes) {
  if (bytes.size() < 4 || Byte(bytes, 0) != 0xff || (Byte(bytes, 1) & 0xe0) != 0xe0) return nullptr;
  const int version = Byte(bytes, 1) >> 3 & 3;
  const int layer = Byte(bytes, 1) >> 1 & 3;
  if (layer == 0) return (Byte(bytes, 1) & 0xf0) == 0xf0 ? "an AAC (ADTS) file" : nullptr;
  if (version == 1 || Byte(bytes, 2) >> 4 == 15 || (Byte(bytes, 2) >> 2 & 3) == 3) return nullptr;
  return layer == 1 ? "MP3" : layer == 2 ? "an MPEG layer II (MP2) file" : "an MPEG layer I file";
}

absl::Status Refuse(std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("this is ", absl::string_view(what.data(), what.size()), "; ", kAcceptedFiles));
}

}  // namespace

absl::StatusOr<RecognizedFile> RecognizeFile(std::string_view bytes) {
  if (bytes.empty()) return absl::InvalidArgumentError(absl::StrCat("the file is empty; ", kAcceptedFiles));
  int tags = 0;
  for (; bytes.size() >= 10 && bytes.starts_with("ID3"); ++tags) {
    if (tags == kMaxId3Tags) {
      return absl::InvalidArgumentError(absl::StrCat("the file begins with more than ", kMaxId3Tags, " ID3 tags"));
    }
    // Four times seven bits; a footer repeats the header of ten bytes.
    size_t size = 0;
    for (size_t i = 6; i < 10; ++i) size = size << 7 | (Byte(bytes, i) & 0x7f);
    size += (Byte(bytes, 5) & 0x10) != 0 ? 20 : 10;
    if (size >= bytes.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the file has no audio: its ID3 tag claims ", size, " bytes of ", bytes.size()));
    }
    bytes.remove_prefix(size);
  }
  if (Has(bytes, 0, "RIFF") && Has(bytes, 8, "WAVE")) return RecognizedFile{FileFormat::kWav, bytes};
  if (Has(bytes, 0, "fLaC")) return RecognizedFile{FileFormat::kFlac, bytes};
  if (Has(bytes, 0, "OggS")) return RecognizedFile{FileFormat::kOgg, bytes};
  for (const Signature& signature : kRefused) {
    if (Has(bytes, signature.offset, signature.bytes)) return Refuse(signature.name);
  }
  if (const char* layer = MpegLayer(bytes)) {
    if (layer == "MP3"sv) return RecognizedFile{FileFormat::kMp3, bytes};
    return Refuse(layer);
  }
  // Some writers leave zeros between an ID3 tag and the first MPEG frame; the decoder looks for it.
  if (tags > 0) return RecognizedFile{FileFormat::kMp3, bytes};
  return Refuse("no audio file that is known here");
}

}  // namespace hearwire
