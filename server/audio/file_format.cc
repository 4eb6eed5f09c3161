#include "server/audio/file_format.h"

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"
#include "server/audio/mp3_frames.h"

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
    {8, "AVI "sv, "an AVI file"},
    {4, "ftyp"sv, "an MP4 (M4A) file"},
    {0, "\x1a\x45\xdf\xa3"sv, "a WebM (Matroska) file"},
    {0, "\x30\x26\xb2\x75"sv, "a WMA (ASF) file"},
    {0, "wvpk"sv, "a WavPack file"},
    {0, "MAC "sv, "a Monkey's Audio (APE) file"},
    {0, "TTA1"sv, "a True Audio (TTA) file"},
    {0, "MPCK"sv, "a Musepack file"},
    {0, "MP+"sv, "a Musepack file"},
    {0, "OFR "sv, "an OptimFROG file"},
    {0, "ajkg"sv, "a Shorten file"},
    {0, "\x0b\x77"sv, "an AC-3 file"},
    {0, "\x7f\xfe\x80\x01"sv, "a DTS file"},
    {0, "DSD "sv, "a DSF file"},
    {0, "FRM8"sv, "a DSDIFF file"},
    {0, ".RMF"sv, "a RealMedia file"},
    {0, "FLV\x01"sv, "an FLV file"},
    {0, "#!AMR"sv, "an AMR file"},
    {0, "ADIF"sv, "an AAC file"},
};

bool Has(std::string_view bytes, size_t offset, std::string_view expected) {
  return bytes.size() >= offset && bytes.substr(offset).starts_with(expected);
}

// Of all formats that say so at their beginning.
std::optional<FileFormat> AcceptedFormat(std::string_view bytes) {
  for (const std::string_view riff : {"RIFF", "RIFX", "RF64", "BW64"}) {
    if (Has(bytes, 0, riff) && Has(bytes, 8, "WAVE")) return FileFormat::kWav;
  }
  if (Has(bytes, 0, "riff\x2e\x91\xcf\x11")) return FileFormat::kW64;
  if (Has(bytes, 0, "FORM") && (Has(bytes, 8, "AIFF") || Has(bytes, 8, "AIFC"))) return FileFormat::kAiff;
  if (Has(bytes, 0, ".snd") || Has(bytes, 0, "dns.")) return FileFormat::kAu;
  if (Has(bytes, 0, "caff")) return FileFormat::kCaf;
  if (Has(bytes, 0, "fLaC")) return FileFormat::kFlac;
  if (Has(bytes, 0, "OggS")) return FileFormat::kOgg;
  return std::nullopt;
}

uint8_t Byte(std::string_view bytes, size_t i) { return static_cast<uint8_t>(bytes[i]); }

bool IsAdts(std::string_view bytes) {
  return bytes.size() >= 4 && Byte(bytes, 0) == 0xff && (Byte(bytes, 1) & 0xf6) == 0xf0;
}

absl::Status Refuse(std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("this is ", absl::string_view(what.data(), what.size()), "; ", kAcceptedFiles));
}

// Of sounds, which another program makes one of the accepted files of.
absl::Status RefuseSound(const char* what) {
  return absl::InvalidArgumentError(
      absl::StrCat("this is ", what, ", which the server does not decode; ", kAcceptedFiles,
                   ". The command hearwire and the Python package decode it where ffmpeg is installed; so does "
                   "'ffmpeg -i FILE sound.flac'"));
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
  if (const std::optional<FileFormat> format = AcceptedFormat(bytes)) return RecognizedFile{*format, bytes};
  if (Has(bytes, 0, "MThd")) return Refuse("a MIDI file, which holds notes and no sound");
  for (const Signature& signature : kRefused) {
    if (Has(bytes, signature.offset, signature.bytes)) return RefuseSound(signature.name);
  }
  if (const std::optional<MpegFrame> frame = ReadMpegFrame(bytes); frame && frame->layer != 3) {
    return RefuseSound(frame->layer == 2 ? "an MPEG layer II (MP2) file" : "an MPEG layer I file");
  }
  if (IsAdts(bytes)) return RefuseSound("an AAC (ADTS) file");
  if (FindMp3(bytes)) return RecognizedFile{FileFormat::kMp3, bytes};
  return Refuse(tags > 0 ? "an ID3 tag with no audio behind it that is known here"
                         : "no audio file that is known here");
}

}  // namespace hearwire
