#include "server/audio/sound_file.h"

#include <sndfile.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/audio/flac_file.h"
#include "server/audio/limits.h"
#include "server/audio/trailing_tags.h"

namespace hearwire {
namespace {

// Twice the largest frame there can be.
constexpr int64_t kMaxBytesPerRead = int64_t{4} << 20;
constexpr int64_t kMaxHeaderBytes = int64_t{16} << 20;

absl::Status HeaderError(const char* name) {
  return absl::InvalidArgumentError(absl::StrCat(
      "the header of the ", name, " file is damaged, cut off, or of a kind that cannot be decoded; ", kAcceptedFiles));
}

// Whether the first frame of FLAC in Ogg is number 0, or holds sample 0: of a recording that begins in the middle, the
// last page's position says nothing of the length.
bool BeginsAtZero(OggPackets packets) {
  constexpr size_t kNumberOffset = 4;
  for (int i = 0; i < kMaxFlacBlocks; ++i) {
    const std::optional<OggPacket> packet = packets.Next();
    if (!packet) return false;
    if (packet->bytes.starts_with('\xff'))
      return packet->bytes.size() > kNumberOffset && packet->bytes[kNumberOffset] == 0;
  }
  return false;
}

}  // namespace

struct SoundFile::Callbacks {
  static int64_t Size(void* user) { return static_cast<SoundFile*>(user)->bytes_->size(); }

  static int64_t Tell(void* user) { return static_cast<SoundFile*>(user)->position_; }

  static int64_t Seek(int64_t offset, int whence, void* user) {
    auto* sound = static_cast<SoundFile*>(user);
    const int64_t size = Size(user);
    const int64_t base = whence == SEEK_CUR ? sound->position_ : whence == SEEK_END ? size : 0;
    sound->position_ = std::clamp<int64_t>(base + std::clamp(offset, -size, size), 0, size);
    return sound->position_;
  }

  static int64_t Read(void* out, int64_t count, void* user) {
    auto* sound = static_cast<SoundFile*>(user);
    if (count > sound->bytes_left_) {
      sound->is_damaged_ = true;
      return 0;
    }
    sound->bytes_left_ -= count;
    const int64_t done = sound->bytes_->Read(sound->position_, static_cast<char*>(out), count);
    sound->position_ += done;
    return done;
  }
};

absl::StatusOr<std::unique_ptr<SoundFile>> SoundFile::OpenSamples(SampleFile file, const AudioLimits& limits) {
  // Before libsndfile, which holds the rate in 31 bits.
  if (absl::Status status = CheckSampleRate(file.sample_rate_hz, limits); !status.ok()) return status;
  if (absl::Status status = CheckChannelCount(file.channel_count, limits); !status.ok()) return status;
  std::unique_ptr<SoundFile> sound(new SoundFile(std::make_unique<PlainBytes>(std::move(file.header), file.samples)));
  if (absl::Status status = sound->Open("WAV", {SF_FORMAT_WAV, SF_FORMAT_WAVEX, SF_FORMAT_AU}); !status.ok()) {
    return status;
  }
  if (file.sample_count) sound->claimed_samples_ = sound->samples_in_all_ = file.sample_count;
  return sound;
}

absl::StatusOr<std::unique_ptr<SoundFile>> SoundFile::OpenFlac(std::string_view bytes) {
  absl::StatusOr<FlacFile> flac = ParseFlacFile(bytes);
  if (!flac.ok()) return flac.status();
  std::unique_ptr<SoundFile> sound(
      new SoundFile(std::make_unique<PlainBytes>(std::move(flac->header), WithoutTrailingTags(flac->frames))));
  if (absl::Status status = sound->Open("FLAC", {SF_FORMAT_FLAC}); !status.ok()) return status;
  return sound;
}

absl::StatusOr<std::unique_ptr<SoundFile>> SoundFile::OpenOggFlac(const OggLink& link) {
  OggPackets packets(link.pages);
  const std::optional<OggPacket> first = packets.Next();
  // Behind a mark, a version and a number of packets stands what a FLAC file begins with.
  constexpr size_t kMappingBytes = 9;
  if (!first || first->bytes.size() < kMappingBytes + 4 || first->bytes.substr(kMappingBytes, 4) != "fLaC") {
    return HeaderError("Ogg");
  }
  std::string head(first->bytes.substr(kMappingBytes));
  absl::StatusOr<FlacFile> flac = ParseFlacFile(head);
  if (!flac.ok()) return flac.status();
  std::unique_ptr<SoundFile> sound(new SoundFile(std::make_unique<OggFlacBytes>(std::move(flac->header), link.pages)));
  if (absl::Status status = sound->Open("FLAC", {SF_FORMAT_FLAC}); !status.ok()) return status;
  sound->is_cut_ = link.is_cut;
  sound->missing_samples_ = link.missing_units;
  if (!sound->claimed_samples_ && link.last_position > 0 && BeginsAtZero(std::move(packets))) {
    sound->claimed_samples_ = link.last_position;
  }
  if (link.is_cut) sound->claimed_samples_.reset();
  return sound;
}

absl::Status SoundFile::Open(const char* name, std::initializer_list<int> formats) {
  SF_VIRTUAL_IO callbacks = {Callbacks::Size, Callbacks::Seek, Callbacks::Read, nullptr, Callbacks::Tell};
  SF_INFO info = {};
  bytes_left_ = kMaxHeaderBytes;
  decoder_ = sf_open_virtual(&callbacks, SFM_READ, &info, this);
  const bool is_right = std::find(formats.begin(), formats.end(), info.format & SF_FORMAT_TYPEMASK) != formats.end();
  if (decoder_ == nullptr || !is_right || info.channels < 1 || info.samplerate < 1) return HeaderError(name);
  sample_rate_hz_ = info.samplerate;
  channel_count_ = info.channels;
  if (info.frames != SF_COUNT_MAX) claimed_samples_ = info.frames;
  return absl::OkStatus();
}

SoundFile::~SoundFile() {
  if (decoder_ != nullptr) sf_close(decoder_);
}

absl::StatusOr<int64_t> SoundFile::Read(absl::Span<float> values) {
  bytes_left_ = kMaxBytesPerRead;
  int64_t wanted = static_cast<int64_t>(values.size()) / channel_count_;
  if (samples_in_all_) wanted = std::min(wanted, *samples_in_all_ - samples_read_);
  const int64_t count = sf_readf_float(decoder_, values.data(), wanted);
  is_damaged_ = is_damaged_ || sf_error(decoder_) != SF_ERR_NO_ERROR;  // The next read forgets it.
  if (count > 0) {
    samples_read_ += count;
    return count;
  }
  const absl::Status status = CheckEnd();
  if (!status.ok()) return status;
  return 0;
}

absl::Status SoundFile::CheckEnd() const {
  const auto rate = static_cast<double>(sample_rate_hz_);
  const double found_seconds = static_cast<double>(samples_read_) / rate;
  if (is_cut_) return CutLinkError(found_seconds, static_cast<double>(missing_samples_) / rate);
  if (claimed_samples_ && samples_read_ < *claimed_samples_) {
    return CutOffError(found_seconds, static_cast<double>(*claimed_samples_) / rate);
  }
  if (is_damaged_) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the file is cut off or damaged after %.3f s of audio", found_seconds));
  }
  return absl::OkStatus();
}

}  // namespace hearwire
