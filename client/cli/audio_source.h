// The samples of a file, of a pipe or of standard input, as they come.

#ifndef HEARWIRE_CLIENT_CLI_AUDIO_SOURCE_H_
#define HEARWIRE_CLIENT_CLI_AUDIO_SOURCE_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/sample_format.h"

namespace hearwire::cli {

struct SourceOptions {
  std::string path = "-";           // "-": standard input.
  std::optional<SampleFormat> raw;  // What the samples are; absent: a WAV header says it.
  bool real_time = false;           // Gives them no faster than they sound.
};

// Not thread-safe. An interrupt ends the samples wherever something is waited for; Interrupted() then tells.
class AudioSource {
 public:
  // Reads the WAV header, if there is one to read. stop_fd: ends the samples too, when it becomes readable. NOT_FOUND,
  // PERMISSION_DENIED, INVALID_ARGUMENT otherwise; messages begin with the path. CANCELLED: interrupted.
  static absl::StatusOr<std::unique_ptr<AudioSource>> Open(const SourceOptions& options, int stop_fd);

  ~AudioSource();
  AudioSource(const AudioSource&) = delete;
  AudioSource& operator=(const AudioSource&) = delete;

  const SampleFormat& format() const { return format_; }

  // The next bytes, as soon as there are some; valid until the next call. Empty: there are no more.
  absl::StatusOr<std::string_view> Next();

  // Once there are no more: whether that is all that the header promised. INVALID_ARGUMENT says what is missing.
  absl::Status CheckWhole() const;

 private:
  AudioSource(const SourceOptions& options, int fd, int stop_fd);

  absl::Status ReadHeader();
  // Reads into buffer_, at most so many bytes. Leaves it empty at the end.
  absl::Status Read(size_t most);
  // Waits until the file can be read, or, where it is given, for the time. False: the samples are to end.
  bool Wait(bool for_file, std::optional<std::chrono::steady_clock::time_point> until) const;

  const std::string name_;
  const int fd_;
  const int stop_fd_;
  const bool is_file_;  // Always readable, and the only kind that must be whole.
  const bool real_time_;
  SampleFormat format_;
  std::string buffer_;
  size_t pending_ = 0;               // Bytes of samples at the end of buffer_ that came with the header.
  std::optional<int64_t> promised_;  // Bytes of samples, by the header.
  int64_t given_ = 0;                // Bytes of samples.
  std::chrono::steady_clock::time_point started_;
};

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_AUDIO_SOURCE_H_
