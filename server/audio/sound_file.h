// Files of samples (WAV and its like) and FLAC files, decoded by libsndfile.

#ifndef HEARWIRE_SERVER_AUDIO_SOUND_FILE_H_
#define HEARWIRE_SERVER_AUDIO_SOUND_FILE_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "server/audio/decode_audio.h"
#include "server/audio/file_bytes.h"
#include "server/audio/file_format.h"
#include "server/audio/ogg_file.h"
#include "server/audio/sample_file.h"
#include "server/audio/sample_source.h"

struct sf_private_tag;  // libsndfile's.

namespace hearwire {

class SoundFile final : public SampleSource {
 public:
  // Read the header. The bytes must outlive this. INVALID_ARGUMENT: the header is damaged; a file of samples is out of
  // the limits (the others are for the caller to check). Of one that is cut off, Read finds out.
  static absl::StatusOr<std::unique_ptr<SoundFile>> OpenSamples(SampleFile file, const AudioLimits& limits);
  static absl::StatusOr<std::unique_ptr<SoundFile>> OpenFlac(std::string_view bytes);
  // FLAC in Ogg. The link's bytes must outlive this.
  static absl::StatusOr<std::unique_ptr<SoundFile>> OpenOggFlac(const OggLink& link);
  ~SoundFile() override;

  int64_t sample_rate_hz() const override { return sample_rate_hz_; }
  int64_t channel_count() const override { return channel_count_; }
  std::optional<int64_t> claimed_samples() const override { return claimed_samples_; }
  absl::StatusOr<int64_t> Read(absl::Span<float> values) override;

 private:
  struct Callbacks;  // What libsndfile calls to get at the bytes.

  explicit SoundFile(std::unique_ptr<FileBytes> bytes) : bytes_(std::move(bytes)) {}

  // Lets libsndfile read the header of a file that must be of one of its formats (SF_FORMAT_WAV, …).
  absl::Status Open(const char* name, std::initializer_list<int> formats);

  // Ok, if all that the file promises has been read.
  absl::Status CheckEnd() const;

  const std::unique_ptr<FileBytes> bytes_;
  int64_t position_ = 0;
  // How much libsndfile may read until it returns: it looks for the next frame through all that is left, if need be.
  int64_t bytes_left_ = 0;

  sf_private_tag* decoder_ = nullptr;
  int64_t sample_rate_hz_ = 0;
  int64_t channel_count_ = 0;
  std::optional<int64_t> claimed_samples_;
  // Where libsndfile makes more: of an odd number of blocks of GSM it takes the byte behind for another one.
  std::optional<int64_t> samples_in_all_;
  bool is_cut_ = false;
  int64_t missing_samples_ = 0;  // Where it is, as far as that is known.
  int64_t samples_read_ = 0;
  bool is_damaged_ = false;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_SOUND_FILE_H_
