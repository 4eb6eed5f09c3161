// MP3 files, decoded by libmpg123.
//
// libsndfile decodes MP3 with the same library and to the same values, but cuts a file of variable bit rate without an
// info tag where its first frames' rate would make it end, and leaves the library's warnings on standard error.

#ifndef HEARWIRE_SERVER_AUDIO_MP3_FILE_H_
#define HEARWIRE_SERVER_AUDIO_MP3_FILE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "server/audio/mp3_frames.h"
#include "server/audio/sample_source.h"

struct mpg123_handle_struct;

namespace hearwire {

// The encoder's delay and padding are left out where the file's info tag says them. A file without an info tag claims
// no length and is read to its end. Some writers count the tag's own frame: a file that has all the bytes that its tag
// claims may be short of one frame.
class Mp3File final : public SampleSource {
 public:
  // `bytes` must outlive this. INVALID_ARGUMENT: no frame of MPEG layer III is found.
  static absl::StatusOr<std::unique_ptr<Mp3File>> Open(std::string_view bytes);
  ~Mp3File() override;

  int64_t sample_rate_hz() const override { return sample_rate_hz_; }
  int64_t channel_count() const override { return channel_count_; }
  std::optional<int64_t> claimed_samples() const override { return claimed_samples_; }
  absl::StatusOr<int64_t> Read(absl::Span<float> values) override;

 private:
  explicit Mp3File(const Mp3Start& start) : start_(start), input_{.rest = start.frames} {}

  // Ok, if the decoder's stopping with this result leaves nothing out.
  absl::Status CheckEnd(int result) const;

  // Whether the samples that were read are all that the file promises.
  bool HasAllClaimed() const;

  // The bytes that the decoder has not asked for yet, and how often it may ask until it returns: it skips tags one
  // after the other, and there may be millions.
  struct Input {
    std::string_view rest;
    int reads_left = 0;
    bool is_exhausted = false;  // It asked too often.
  };
  static ssize_t ReadInput(void* input, void* out, size_t count);

  const Mp3Start start_;
  Input input_;
  mpg123_handle_struct* decoder_ = nullptr;
  int64_t sample_rate_hz_ = 0;
  int64_t channel_count_ = 0;
  std::optional<int64_t> claimed_samples_;
  int64_t samples_read_ = 0;
  bool ended_ = false;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_MP3_FILE_H_
