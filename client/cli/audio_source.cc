#include "client/cli/audio_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/interrupt.h"
#include "client/cli/output_file.h"
#include "client/cli/wav_header.h"

namespace hearwire::cli {
namespace {

constexpr size_t kStepBytes = size_t{64} << 10;
// In real time, what sounds in between is given at once.
constexpr std::chrono::milliseconds kRealTimeStep(100);

bool IsRegular(int fd) {
  struct stat about = {};
  return fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
}

}  // namespace

absl::StatusOr<std::unique_ptr<AudioSource>> AudioSource::Open(const SourceOptions& options, int stop_fd) {
  const int fd = options.path == "-" ? STDIN_FILENO : open(options.path.c_str(), O_RDONLY | O_CLOEXEC);
  if (Interrupted()) return absl::CancelledError();  // While a named pipe waited for its writer.
  if (fd < 0) return FileError(options.path, errno);
  std::unique_ptr<AudioSource> source(new AudioSource(options, fd, stop_fd));
  if (!options.raw) {
    if (absl::Status wrong = source->ReadHeader(); !wrong.ok()) return wrong;
  }
  source->started_ = std::chrono::steady_clock::now();
  return source;
}

AudioSource::AudioSource(const SourceOptions& options, int fd, int stop_fd)
    : name_(options.path == "-" ? "standard input" : options.path),
      fd_(fd),
      stop_fd_(stop_fd),
      is_file_(IsRegular(fd)),
      real_time_(options.real_time),
      format_(options.raw.value_or(SampleFormat())) {}

AudioSource::~AudioSource() {
  if (fd_ > STDIN_FILENO) close(fd_);
}

absl::Status AudioSource::ReadHeader() {
  std::string start;
  while (true) {
    const absl::StatusOr<std::optional<WavHeader>> header = ParseWavHeader(start);
    if (!header.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(name_, ": ", std::string(header.status().message())));
    }
    if (*header) {
      format_ = (*header)->format;
      promised_ = (*header)->data_bytes;
      buffer_ = start.substr((*header)->bytes);
      pending_ = buffer_.size();
      return absl::OkStatus();
    }
    if (absl::Status wrong = Read(kStepBytes); !wrong.ok()) return wrong;
    if (Interrupted()) return absl::CancelledError();
    if (buffer_.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name_, start.empty() ? ": is empty" : ": ends before its samples begin"));
    }
    start += buffer_;
  }
}

bool AudioSource::Wait(bool for_file, std::optional<std::chrono::steady_clock::time_point> until) const {
  while (true) {
    if (Interrupted()) return false;
    int timeout_ms = -1;
    if (until) {
      const auto left = *until - std::chrono::steady_clock::now();
      if (left <= left.zero()) return true;
      timeout_ms = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
    }
    // A negative descriptor is passed over.
    std::array<pollfd, 3> waiting = {
        {{InterruptFd(), POLLIN, 0}, {stop_fd_, POLLIN, 0}, {for_file ? fd_ : -1, POLLIN, 0}}};
    if (poll(waiting.data(), waiting.size(), timeout_ms) <= 0) continue;
    if (waiting[0].revents != 0 || waiting[1].revents != 0) return false;
    if (waiting[2].revents != 0) return !Interrupted();
  }
}

absl::Status AudioSource::Read(size_t most) {
  buffer_.clear();
  while (true) {
    if (!is_file_ && !Wait(/*for_file=*/true, std::nullopt)) return absl::OkStatus();
    buffer_.resize(most);
    const ssize_t count = read(fd_, buffer_.data(), most);
    const int error = errno;
    buffer_.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
    // The signal may come with the end of a pipe whose writer it has ended too.
    if (count >= 0 || Interrupted()) return absl::OkStatus();
    if (error != EINTR && error != EAGAIN) return FileError(name_, error);
  }
}

absl::StatusOr<std::string_view> AudioSource::Next() {
  if (Interrupted()) return std::string_view();
  const int64_t bytes_per_second = int64_t{format_.sample_rate_hz} * format_.channels * SampleBytes(format_.encoding);
  int64_t most = promised_ ? *promised_ - given_ : std::numeric_limits<int64_t>::max();
  if (real_time_) {
    const auto sounded = std::chrono::microseconds(given_ * 1'000'000 / bytes_per_second);
    if (!Wait(/*for_file=*/false, started_ + sounded)) return std::string_view();
    most = std::min(most, std::max<int64_t>(bytes_per_second * kRealTimeStep.count() / 1000, 1));
  }
  if (pending_ == 0) {
    if (most == 0) return std::string_view();
    if (absl::Status wrong = Read(static_cast<size_t>(std::min<int64_t>(most, kStepBytes))); !wrong.ok()) return wrong;
    pending_ = buffer_.size();
  }
  const std::string_view next = std::string_view(buffer_).substr(
      buffer_.size() - pending_, static_cast<size_t>(std::min<int64_t>(most, static_cast<int64_t>(pending_))));
  pending_ -= next.size();
  given_ += static_cast<int64_t>(next.size());
  return next;
}

absl::Status AudioSource::CheckWhole() const {
  if (!promised_ || given_ >= *promised_) return absl::OkStatus();
  const double bytes_per_second =
      static_cast<double>(format_.sample_rate_hz) * format_.channels * SampleBytes(format_.encoding);
  return absl::InvalidArgumentError(absl::StrFormat("%s: ends after %.3f s, and its header says %.3f s", name_,
                                                    static_cast<double>(given_) / bytes_per_second,
                                                    static_cast<double>(*promised_) / bytes_per_second));
}

}  // namespace hearwire::cli
