#include "server/audio/mp3_file.h"

#include <mpg123.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/audio/trailing_tags.h"

namespace hearwire {
namespace {

// A frame takes two or three.
constexpr int kMaxReadsPerRead = 5000;

constexpr char kNoFrame[] = "the file looks like an MP3 file, but no frame of MPEG layer III is found in it";

// A stream that cannot be sought in: the decoder then neither guesses its length nor looks at its end first.
off_t RefuseToSeek(void*, off_t, int) { return -1; }

}  // namespace

ssize_t Mp3File::ReadInput(void* user, void* out, size_t count) {
  auto* input = static_cast<Input*>(user);
  if (input->reads_left == 0) {
    input->is_exhausted = true;
    return -1;
  }
  --input->reads_left;
  const size_t piece = std::min(count, input->rest.size());
  std::memcpy(out, input->rest.data(), piece);
  input->rest.remove_prefix(piece);
  return static_cast<ssize_t>(piece);
}

absl::StatusOr<std::unique_ptr<Mp3File>> Mp3File::Open(std::string_view bytes) {
  const std::optional<Mp3Start> start = FindMp3(WithoutTrailingTags(bytes));
  if (!start) return absl::InvalidArgumentError(kNoFrame);
  std::unique_ptr<Mp3File> mp3(new Mp3File(*start));
  int error = MPG123_OK;
  mpg123_handle* decoder = mpg123_new(nullptr, &error);
  if (decoder == nullptr) return absl::InternalError(absl::StrCat("libmpg123: ", mpg123_plain_strerror(error)));
  mp3->decoder_ = decoder;
  mpg123_param(decoder, MPG123_REMOVE_FLAGS, MPG123_AUTO_RESAMPLE, 0);
  mpg123_param(decoder, MPG123_ADD_FLAGS, MPG123_QUIET | MPG123_FORCE_FLOAT | MPG123_GAPLESS | MPG123_SKIP_ID3V2, 0);
  // The decoder cannot find it out by itself: it would have to seek.
  if (start->free_format_bytes > 0) {
    mpg123_param(decoder, MPG123_FREEFORMAT_SIZE, static_cast<long>(start->free_format_bytes), 0);  // NOLINT
  }
  mpg123_replace_reader_handle(decoder, ReadInput, RefuseToSeek, nullptr);

  long rate = 0;  // NOLINT(google-runtime-int): mpg123's type.
  int channels = 0;
  int encoding = 0;
  mpg123_frameinfo frame = {};
  mp3->input_.reads_left = kMaxReadsPerRead;
  if (mpg123_open_handle(decoder, &mp3->input_) != MPG123_OK ||
      mpg123_getformat(decoder, &rate, &channels, &encoding) != MPG123_OK || encoding != MPG123_ENC_FLOAT_32 ||
      rate < 1 || channels < 1 || mpg123_info(decoder, &frame) != MPG123_OK || frame.layer != 3) {
    return absl::InvalidArgumentError(kNoFrame);
  }
  mp3->sample_rate_hz_ = rate;
  mp3->channel_count_ = channels;
  // Of a stream that cannot be sought in, the length is known from the info tag or not at all.
  if (const off_t length = mpg123_length(decoder); length > 0) mp3->claimed_samples_ = length;
  if (start->is_vbri && start->claimed_frames) mp3->claimed_samples_ = *start->claimed_frames * start->frame_samples;
  return mp3;
}

Mp3File::~Mp3File() {
  if (decoder_ != nullptr) mpg123_delete(decoder_);
}

absl::StatusOr<int64_t> Mp3File::Read(absl::Span<float> values) {
  if (ended_) return 0;
  size_t bytes = 0;
  input_.reads_left = kMaxReadsPerRead;
  const int result = mpg123_read(decoder_, values.data(), values.size() * sizeof(float), &bytes);
  const int64_t count = static_cast<int64_t>(bytes / sizeof(float)) / channel_count_;
  samples_read_ += count;
  if (count > 0 && result == MPG123_OK) return count;
  const absl::Status status = CheckEnd(result);
  if (!status.ok()) return status;
  ended_ = true;
  return count;
}

bool Mp3File::HasAllClaimed() const {
  if (samples_read_ >= *claimed_samples_) return true;
  return start_.has_claimed_bytes.value_or(true) && samples_read_ + start_.frame_samples >= *claimed_samples_;
}

absl::Status Mp3File::CheckEnd(int result) const {
  const auto seconds = [this](int64_t samples) {
    return static_cast<double>(samples) / static_cast<double>(sample_rate_hz_);
  };
  const bool changes_format = result == MPG123_NEW_FORMAT;
  if (claimed_samples_) {
    if (HasAllClaimed()) return absl::OkStatus();
    if (!changes_format) return CutOffError(seconds(samples_read_), seconds(*claimed_samples_));
  }
  if (changes_format) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the MP3 file is damaged, or changes its sample rate or channels, after %.3f s of audio",
                        seconds(samples_read_)));
  }
  // A file without an info tag may end in the middle of a frame, as recordings of broadcasts do.
  const bool is_end = result == MPG123_OK || result == MPG123_DONE || mpg123_errcode(decoder_) == MPG123_ERR_READER;
  if (is_end && !input_.is_exhausted) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("the MP3 file is damaged after %.3f s of audio", seconds(samples_read_)));
}

}  // namespace hearwire
