#include "client/cli/inputs.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/interrupt.h"
#include "client/cli/output_file.h"

namespace hearwire::cli {
namespace {

namespace fs = std::filesystem;

// What the server decodes, then what ffmpeg does, then what neither does: of those the server's answer says what they
// are, and no sound is passed over silently.
constexpr std::string_view kAudioExtensions[] = {
    ".aif", ".aifc", ".aiff", ".au",  ".caf", ".flac", ".mp3",  ".oga",  ".ogg", ".opus", ".rf64", ".snd",
    ".w64", ".wav",  ".wave", ".bwf", ".3gp", ".aac",  ".ac3",  ".amr",  ".ape", ".dsf",  ".dts",  ".m4a",
    ".m4b", ".mka",  ".mp+",  ".mpc", ".tta", ".weba", ".webm", ".wma",  ".wv",  ".8svx", ".aa",   ".aax",
    ".awb", ".dff",  ".eac3", ".gsm", ".m4p", ".m4r",  ".mid",  ".midi", ".mp1", ".mp2",  ".mpga", ".nist",
    ".oma", ".qcp",  ".ra",   ".shn", ".sph", ".spx",  ".tak",  ".voc"};

bool HasAudioExtension(const fs::path& path) {
  const std::string extension = absl::AsciiStrToLower(path.extension().string());
  return std::find(std::begin(kAudioExtensions), std::end(kAudioExtensions), extension) != std::end(kAudioExtensions);
}

bool IsHidden(const fs::path& path) { return path.filename().string().front() == '.'; }

// Searches one folder of the command line.
class FolderSearch {
 public:
  explicit FolderSearch(Inputs* inputs) : inputs_(inputs) {}

  // The audio files, sorted.
  absl::StatusOr<std::vector<fs::path>> Run(const fs::path& folder) {
    if (const std::error_code error = Search(folder)) return FileError(folder.string(), error.value());
    if (hidden_ > 0) {
      inputs_->notes.push_back(absl::StrCat(folder.string(), ": ", hidden_,
                                            hidden_ == 1 ? " audio file whose name begins with a dot is passed by"
                                                         : " audio files whose names begin with a dot are passed by"));
    }
    if (found_.empty() && inputs_->left_out.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          folder.string(),
          ": no audio files in this folder (.wav, .flac, .ogg, .opus, .mp3, .aiff, .au, .caf, .m4a and others)"));
    }
    std::sort(found_.begin(), found_.end());
    return std::move(found_);
  }

 private:
  // What keeps the folder itself from being read; of those below it inputs_ is told.
  std::error_code Search(const fs::path& folder) {
    struct stat about = {};
    if (stat(folder.c_str(), &about) != 0) return {errno, std::generic_category()};
    const auto [first, is_new] = searched_.emplace(std::pair(about.st_dev, about.st_ino), folder);
    if (!is_new) {
      inputs_->notes.push_back(absl::StrCat(folder.string(), ": is the same folder as ", first->second.string(),
                                            ", which is searched once"));
      return {};
    }
    std::vector<fs::path> entries;  // Sorted, so that the same folder is always the first of those that are the same.
    std::error_code error;
    for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator();
         entry.increment(error)) {
      entries.push_back(entry->path());
    }
    if (error) return error;
    std::sort(entries.begin(), entries.end());
    // Folders that are no links first: what a link leads to is called by its own name where that is below here too.
    std::vector<fs::path> linked;
    for (const fs::path& entry : entries) {
      std::error_code ignored;
      if (!fs::is_directory(entry, ignored)) {
        Take(entry);
      } else if (!IsHidden(entry)) {
        if (fs::is_symlink(entry, ignored)) {
          linked.push_back(entry);
        } else {
          SearchBelow(entry);
        }
      }
    }
    for (const fs::path& entry : linked) SearchBelow(entry);
    return {};
  }

  void SearchBelow(const fs::path& folder) {
    if (const std::error_code error = Search(folder)) {
      inputs_->left_out.push_back(absl::StrCat(folder.string(), ": ", error.message()));
    }
  }

  void Take(const fs::path& entry) {
    if (!HasAudioExtension(entry)) return;
    std::error_code error;
    const fs::file_status status = fs::status(entry, error);
    if (IsHidden(entry)) {
      ++hidden_;
    } else if (fs::is_regular_file(status)) {
      found_.push_back(entry);
    } else {
      inputs_->left_out.push_back(absl::StrCat(entry.string(), ": ", error ? error.message() : "is no file"));
    }
  }

  Inputs* const inputs_;
  std::vector<fs::path> found_;
  std::map<std::pair<dev_t, ino_t>, fs::path> searched_;  // And by which name.
  int64_t hidden_ = 0;
};

// The last part of a folder's name, "sounds" for "data/sounds/" and for "." within it.
fs::path FolderName(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return whole.has_filename() ? whole.filename() : whole.parent_path().filename();
}

absl::Status TooLarge(const Input& input, int64_t max_bytes) {
  return absl::ResourceExhaustedError(
      absl::StrFormat("larger than %d bytes, the limit for a message (--max-message-bytes, which the server has too); "
                      "%s can be cut into shorter pieces",
                      max_bytes, input.path == "-" ? "the sound" : "the file"));
}

}  // namespace

absl::StatusOr<Inputs> FindInputs(const std::vector<std::string>& arguments) {
  Inputs inputs;
  bool folders = false;
  for (const std::string& argument : arguments) {
    std::error_code ignored;
    if (argument == "-") {
      const auto is_standard_input = [](const Input& input) { return input.path == "-"; };
      if (std::any_of(inputs.files.begin(), inputs.files.end(), is_standard_input)) {
        return absl::InvalidArgumentError("standard input (-) is named twice");
      }
      inputs.files.push_back({"-", "stdin"});
    } else if (fs::is_directory(argument, ignored)) {
      folders = true;
      absl::StatusOr<std::vector<fs::path>> files = FolderSearch(&inputs).Run(argument);
      if (!files.ok()) return files.status();
      // Several folders may hold files of the same name: each folder's stay together.
      const fs::path prefix = arguments.size() > 1 ? FolderName(argument) : fs::path();
      for (const fs::path& file : *files) {
        inputs.files.push_back({file.string(), (prefix / file.lexically_relative(argument)).string()});
      }
    } else {
      inputs.files.push_back({argument, fs::path(argument).filename().string()});
    }
  }
  inputs.one_file = inputs.files.size() == 1 && !folders;
  return inputs;
}

absl::StatusOr<std::string> ReadInput(const Input& input, int64_t max_bytes) {
  struct File {
    int fd;
    ~File() {
      if (fd > STDIN_FILENO) close(fd);
    }
  } file{input.path == "-" ? STDIN_FILENO : open(input.path.c_str(), O_RDONLY | O_CLOEXEC)};
  // The caller names the file.
  const auto error = [](int number) {
    return absl::Status(absl::ErrnoToStatusCode(number), std::generic_category().message(number));
  };
  struct stat about = {};
  if (Interrupted()) return absl::CancelledError();  // While a named pipe waited for its writer, for example.
  if (file.fd < 0 || fstat(file.fd, &about) != 0) return error(errno);
  if (S_ISDIR(about.st_mode)) return error(EISDIR);
  if (S_ISREG(about.st_mode) && about.st_size > max_bytes) return TooLarge(input, max_bytes);

  std::string bytes;
  constexpr size_t kStepBytes = size_t{1} << 20;
  if (S_ISREG(about.st_mode)) bytes.reserve(static_cast<size_t>(about.st_size) + kStepBytes);
  for (;;) {
    std::array<pollfd, 2> waiting = {{{file.fd, POLLIN, 0}, {InterruptFd(), POLLIN, 0}}};
    if (!S_ISREG(about.st_mode) && poll(waiting.data(), waiting.size(), -1) < 0 && !Interrupted()) continue;
    const size_t size = bytes.size();
    bytes.resize(size + kStepBytes);
    // The signal may come with the end of a pipe whose writer it has ended too: that is no end of the sound.
    const ssize_t count = Interrupted() ? 0 : read(file.fd, bytes.data() + size, kStepBytes);
    if (Interrupted()) return absl::CancelledError();
    if (count < 0 && errno != EINTR) return error(errno);
    bytes.resize(size + static_cast<size_t>(std::max<ssize_t>(count, 0)));
    if (static_cast<int64_t>(bytes.size()) > max_bytes) return TooLarge(input, max_bytes);
    if (count == 0) break;
  }
  if (bytes.empty()) return absl::InvalidArgumentError("is empty");
  return bytes;
}

}  // namespace hearwire::cli
