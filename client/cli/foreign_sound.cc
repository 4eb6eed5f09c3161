#include "client/cli/foreign_sound.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <system_error>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/interrupt.h"

namespace hearwire::cli {
namespace {

using namespace std::string_view_literals;

struct Kind {
  size_t offset;
  std::string_view bytes;
  const char* name;
};

// As client/python/src/hearwire/_foreign.py has them.
constexpr Kind kKinds[] = {
    {4, "ftyp"sv, "an MP4 (M4A) file"},
    {0, "\x1a\x45\xdf\xa3"sv, "a WebM (Matroska) file"},
    {0, "\x30\x26\xb2\x75"sv, "a WMA (ASF) file"},
    {0, "ADIF"sv, "an AAC file"},
    {0, "MAC "sv, "a Monkey's Audio (APE) file"},
    {0, "TTA1"sv, "a True Audio (TTA) file"},
    {0, "MPCK"sv, "a Musepack file"},
    {0, "MP+"sv, "a Musepack file"},
    {0, "wvpk"sv, "a WavPack file"},
    {0, "ajkg"sv, "a Shorten file"},
    {0, "\x0b\x77"sv, "an AC-3 file"},
    {0, "\x7f\xfe\x80\x01"sv, "a DTS file"},
    {0, "DSD "sv, "a DSF file"},
    {0, "#!AMR"sv, "an AMR file"},
    {0, ".RMF"sv, "a RealMedia file"},
    {0, "FLV\x01"sv, "an FLV file"},
    {8, "AVI "sv, "an AVI file"},
};

// What it says of a Matroska file that is cut off, and then ends well.
constexpr char kCutOff[] = "ended prematurely";

constexpr int kMaxMessageBytes = 2000;  // Of what ffmpeg says.

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { Close(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  void Set(int fd) {
    Close();
    fd_ = fd;
  }

 private:
  int fd_;
};

absl::Status SystemError(const char* what) {
  return absl::UnknownError(absl::StrCat(what, ": ", std::generic_category().message(errno)));
}

absl::Status NoFfmpeg(std::string_view kind) {
  return absl::InvalidArgumentError(absl::StrCat(
      "is ", absl::string_view(kind.data(), kind.size()),
      ", which the server does not decode; this program does where ffmpeg is installed (apt install ffmpeg; "
      "https://ffmpeg.org for other systems)"));
}

// Behind ID3v2 tags.
std::string_view WithoutId3(std::string_view file) {
  for (int tags = 0; tags < 100 && file.size() >= 10 && file.starts_with("ID3"); ++tags) {
    size_t size = (static_cast<uint8_t>(file[5]) & 0x10) != 0 ? 20 : 10;
    size_t length = 0;
    for (size_t i = 6; i < 10; ++i) length = length << 7 | (static_cast<uint8_t>(file[i]) & 0x7f);
    size += length;
    file.remove_prefix(std::min(size, file.size()));
  }
  return file;
}

class Ffmpeg {
 public:
  ~Ffmpeg() {
    if (pid_ > 0) End();
  }

  // ENOENT where there is none.
  int Start(std::string_view file) {
    // A file without a name, which ffmpeg can seek in.
    input_.Set(memfd_create("sound", MFD_CLOEXEC));
    if (input_.get() < 0) return errno;
    while (!file.empty()) {
      const ssize_t count = write(input_.get(), file.data(), file.size());
      if (count < 0 && errno != EINTR) return errno;
      file.remove_prefix(static_cast<size_t>(std::max<ssize_t>(count, 0)));
    }
    std::array<int, 2> out = {};
    std::array<int, 2> err = {};
    if (pipe2(out.data(), O_CLOEXEC) != 0) return errno;
    out_.Set(out[0]);
    const Fd out_end(out[1]);
    if (pipe2(err.data(), O_CLOEXEC) != 0) return errno;
    err_.Set(err[0]);
    const Fd err_end(err[1]);
    return Spawn(out_end.get(), err_end.get());
  }

  int out() const { return out_.get(); }
  int err() const { return err_.get(); }

  // Kills it if it still runs; 0: it ended well.
  int End() {
    kill(pid_, SIGKILL);
    return Wait();
  }
  int Wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  int Spawn(int out, int err) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input_.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    // Threads here take no signals; a program shall.
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    // Stops at the first fault, so that nothing that is cut off passes for whole; opens no address.
    std::vector<std::string> arguments = {"ffmpeg", "-nostdin", "-v",
                                          "error",  "-xerror",  "-protocol_whitelist",
                                          "file",   "-i",       "file:/proc/self/fd/0",
                                          "-map",   "0:a:0",    "-map_metadata",
                                          "-1",     "-c:a",     "pcm_s16le",
                                          "-f",     "wav",      "pipe:1"};
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const int error = posix_spawnp(&pid_, "ffmpeg", &actions, &attributes, argv.data(), environ);
    if (error != 0) pid_ = -1;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
  }

  Fd input_;
  Fd out_;
  Fd err_;
  pid_t pid_ = -1;
};

enum class Ending { kEnded, kTooLarge, kTooLate, kInterrupted };

// Takes what it writes until it has ended, or must be.
Ending Collect(const Ffmpeg& ffmpeg, int64_t max_bytes, std::chrono::steady_clock::time_point deadline,
               std::string* wav, std::string* message) {
  std::array<pollfd, 3> waiting = {{{ffmpeg.out(), POLLIN, 0}, {ffmpeg.err(), POLLIN, 0}, {InterruptFd(), POLLIN, 0}}};
  constexpr size_t kStepBytes = size_t{1} << 16;
  std::string piece(kStepBytes, '\0');
  while (waiting[0].fd >= 0 || waiting[1].fd >= 0) {
    const absl::Duration left = absl::FromChrono(deadline - std::chrono::steady_clock::now());
    if (Interrupted()) return Ending::kInterrupted;
    if (left <= absl::ZeroDuration()) return Ending::kTooLate;
    if (poll(waiting.data(), waiting.size(), static_cast<int>(absl::ToInt64Milliseconds(left)) + 1) < 0) continue;
    for (const size_t i : {size_t{0}, size_t{1}}) {
      if (waiting[i].fd < 0 || waiting[i].revents == 0) continue;
      const ssize_t count = read(waiting[i].fd, piece.data(), piece.size());
      if (count <= 0) {
        if (count == 0 || errno != EINTR) waiting[i].fd = -1;
        continue;
      }
      const std::string_view bytes(piece.data(), static_cast<size_t>(count));
      if (i == 0) {
        wav->append(bytes);
        if (static_cast<int64_t>(wav->size()) > max_bytes) return Ending::kTooLarge;
      } else if (message->size() < kMaxMessageBytes) {
        message->append(bytes.substr(0, kMaxMessageBytes - message->size()));
      }
    }
  }
  return Ending::kEnded;
}

// The first line of what it said; a name in brackets before it says which part of ffmpeg spoke.
std::string FirstLine(std::string_view message) {
  std::string_view line = message.substr(0, message.find('\n'));
  const size_t end = line.find("] ");
  if (line.starts_with('[') && end != std::string_view::npos) line.remove_prefix(end + 2);
  return line.empty() ? "no reason given" : std::string(line);
}

// CAF mostly holds samples one by one, which are the server's; what else it holds its first chunk names.
const char* CompressedCaf(std::string_view bytes) {
  if (bytes.size() < 32 || !bytes.starts_with("caff") || bytes.substr(8, 4) != "desc") return nullptr;
  const std::string_view code = bytes.substr(28, 4);
  return code == "alac" ? "a CAF file of ALAC" : code == "aac " ? "a CAF file of AAC" : nullptr;
}

}  // namespace

const char* ForeignKind(std::string_view file) {
  const std::string_view bytes = WithoutId3(file);
  if (const char* caf = CompressedCaf(bytes)) return caf;
  for (const Kind& kind : kKinds) {
    if (bytes.size() >= kind.offset && bytes.substr(kind.offset).starts_with(kind.bytes)) return kind.name;
  }
  // ADTS: a sync word, then layer 0.
  const bool is_adts = bytes.size() >= 2 && bytes[0] == '\xff' && (static_cast<uint8_t>(bytes[1]) & 0xf6) == 0xf0;
  return is_adts ? "an AAC (ADTS) file" : nullptr;
}

absl::StatusOr<std::string> DecodeWithFfmpeg(std::string_view file, std::string_view kind, int64_t max_bytes,
                                             absl::Duration timeout) {
  Ffmpeg ffmpeg;
  errno = ffmpeg.Start(file);
  if (errno == ENOENT || errno == EACCES) return NoFfmpeg(kind);
  if (errno != 0) return SystemError("ffmpeg cannot be run");
  std::string wav;
  std::string message;
  const auto deadline = std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(timeout);
  const Ending ending = Collect(ffmpeg, max_bytes, deadline, &wav, &message);
  const int status = ending == Ending::kEnded ? ffmpeg.Wait() : ffmpeg.End();
  switch (ending) {
    case Ending::kEnded:
      break;
    case Ending::kInterrupted:
      return absl::CancelledError();
    case Ending::kTooLate:
      return absl::DeadlineExceededError(
          absl::StrCat("ffmpeg was not done with it in ", absl::FormatDuration(timeout)));
    case Ending::kTooLarge:
      return absl::ResourceExhaustedError(absl::StrFormat(
          "decoded, it is larger than %d bytes, the limit for a message (--max-message-bytes, which the "
          "server has too); it can be cut into shorter pieces",
          max_bytes));
  }
  if (Interrupted()) return absl::CancelledError();  // The signal has ended ffmpeg too.
  const bool is_cut = message.find(kCutOff) != std::string::npos;
  if (status == 0 && !wav.empty() && !is_cut) return wav;
  return absl::InvalidArgumentError(absl::StrCat("is ", absl::string_view(kind.data(), kind.size()),
                                                 " that ffmpeg cannot decode to its end: ", FirstLine(message)));
}

}  // namespace hearwire::cli
