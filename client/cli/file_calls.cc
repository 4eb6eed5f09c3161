#include "client/cli/file_calls.h"

#include "absl/strings/str_cat.h"
#include "client/cli/foreign_sound.h"

namespace hearwire::cli {

void AddFileCallOptions(CLI::App& command, FileCallOptions& options) {
  command
      .add_option("FILES", options.files,
                  "Sounds: WAV, FLAC, Ogg, MP3, AIFF, AU, CAF, and with ffmpeg M4A, WebM, WMA and others; folders, "
                  "searched for such files; - for standard input")
      ->required()
      ->type_name("");
  AddConnectionOptions(command, options.connection, "30s");
  command.add_option("--in-flight", options.in_flight, "Files sent at once, at most")
      ->capture_default_str()
      ->check(CLI::Range(1, 256))
      ->type_name("N");
  command
      .add_option("--max-message-bytes", options.connection.max_message_bytes,
                  "Largest file that is sent; the server has a limit of the same name")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{1}, int64_t{2'000'000'000}))
      ->type_name("BYTES");
}

absl::StatusOr<std::string> ReadSound(const Input& input, int64_t max_bytes) {
  absl::StatusOr<std::string> bytes = ReadInput(input, max_bytes);
  if (!bytes.ok()) return bytes;
  const char* kind = ForeignKind(*bytes);
  if (kind == nullptr) return bytes;
  return DecodeWithFfmpeg(*bytes, kind, max_bytes);
}

bool ConcernsOneInput(const absl::Status& failure) {
  if (client::IsUnreachable(failure)) return false;
  switch (failure.code()) {
    case absl::StatusCode::kNotFound:  // The config or network.
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kUnauthenticated:
      return false;
    default:
      return true;
  }
}

void ReportLeftOut(const Inputs& inputs) {
  for (const std::string& note : inputs.notes) Complain(note);
  for (const std::string& what : inputs.left_out) Complain(absl::StrCat(what, "; it is left out"));
}

int ReportOutcome(const FileCallsOutcome& outcome, const Inputs& inputs, const std::string& kept) {
  const auto count = static_cast<int64_t>(inputs.files.size());
  const std::string where = kept.empty() || outcome.succeeded == 0 ? "" : absl::StrCat("; ", kept);
  if (Interrupted()) {
    if (count > 1) Complain(absl::StrCat("interrupted: ", outcome.succeeded, " of ", count, " files were done", where));
    return InterruptExitCode();
  }
  if (const int64_t left = count - outcome.succeeded - outcome.failed; left > 0 && count > 1) {
    Complain(absl::StrCat("stopped: ", left, " of ", count, " files were not done", where));
  } else if (outcome.failed > 0 && count > 1) {
    Complain(absl::StrCat(outcome.failed, " of ", count, " files failed"));
  }
  return outcome.succeeded == count && inputs.left_out.empty() ? 0 : 1;
}

}  // namespace hearwire::cli
