// One call for each input: what `hearwire embed` and `hearwire tag` have in common.

#ifndef HEARWIRE_CLIENT_CLI_FILE_CALLS_H_
#define HEARWIRE_CLIENT_CLI_FILE_CALLS_H_

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "client/cli/connection.h"
#include "client/cli/inputs.h"
#include "client/cli/interrupt.h"
#include "client/cli/ordered_calls.h"
#include "client/cli/progress_bar.h"
#include "client/client.h"
#include "client/error_details.h"

namespace hearwire::cli {

// Adds FILES, the connection's options, --in-flight and --max-message-bytes.
struct FileCallOptions {
  ConnectionOptions connection;
  std::vector<std::string> files;
  int in_flight = 4;
};
void AddFileCallOptions(CLI::App& command, FileCallOptions& options);

// What became of the calls.
struct FileCallsOutcome {
  int64_t succeeded = 0;
  int64_t failed = 0;
  bool finished =
      false;  // Every input had its turn. Otherwise a reason was written to standard error, or it was Ctrl-C.
};

// An input's bytes as they are sent: what the server does not decode is decoded here (foreign_sound.h). Errors are
// those of ReadInput and DecodeWithFfmpeg.
absl::StatusOr<std::string> ReadSound(const Input& input, int64_t max_bytes);

// Whether other inputs may fare better: the failure is about its input, or of the moment (a server that drains).
bool ConcernsOneInput(const absl::Status& failure);

// Writes what FindInputs has left out or noted, before the work begins.
void ReportLeftOut(const Inputs& inputs);

// Writes how many failed or had no turn, if any, and returns the program's exit code. kept: what became of the others
// where the work ended early, such as "they are in a.csv"; may be empty.
int ReportOutcome(const FileCallsOutcome& outcome, const Inputs& inputs, const std::string& kept = "");

// Reads each input and sends it off with `start`; gives each reply, in order, to `take`. Failures are written to
// standard error, one line for each input; one that meets every input (no server, no such config) ends the work, and so
// does one of `take` that is neither INVALID_ARGUMENT nor ALREADY_EXISTS. A progress bar shows on a terminal when there
// are several inputs. prints: `take` writes to standard output.
template <typename Reply>
FileCallsOutcome RunFileCalls(const FileCallOptions& options, const Inputs& inputs, bool prints,
                              const std::function<void(client::Audio, const client::CallOptions&, Done<Reply>)>& start,
                              const std::function<absl::Status(const Input&, const Reply&)>& take) {
  FileCallsOutcome outcome;
  std::optional<ProgressBar> progress;
  if (inputs.files.size() > 1) progress.emplace("hearwire", ProgressUnit::kFiles);
  client::CallOptions call_options;
  call_options.cancellation = InterruptToken();
  const auto start_file = [&](size_t index, Done<Reply> done) {
    absl::StatusOr<std::string> bytes = ReadSound(inputs.files[index], options.connection.max_message_bytes);
    // Whatever is wrong with a file concerns that file alone.
    if (!bytes.ok() && !absl::IsCancelled(bytes.status())) {
      return done(absl::InvalidArgumentError(bytes.status().message()));
    }
    if (!bytes.ok()) return done(bytes.status());
    const SignalsBlocked in_grpc_threads;  // It makes some for its first calls.
    start(client::EncodedAudio(*std::move(bytes)), call_options, std::move(done));
  };
  const auto take_file = [&](size_t index, absl::StatusOr<Reply> reply) {
    const Input& input = inputs.files[index];
    if (progress && (prints || !reply.ok())) progress->Clear();
    absl::Status status = reply.ok() ? take(input, *reply) : reply.status();
    if (Interrupted()) return false;
    const bool go_on = !reply.ok() ? ConcernsOneInput(status)
                                   : status.ok() || absl::IsInvalidArgument(status) || absl::IsAlreadyExists(status);
    if (status.ok()) {
      ++outcome.succeeded;
    } else if (client::IsUnreachable(status)) {
      Complain(FailureText(status, options.connection));
    } else {
      ++outcome.failed;
      Complain(input.path + ": " + FailureText(status, options.connection));
    }
    if (progress) progress->Update(static_cast<int64_t>(index) + 1, static_cast<int64_t>(inputs.files.size()));
    return go_on;
  };
  outcome.finished = RunInOrder<Reply>(inputs.files.size(), static_cast<size_t>(options.in_flight), InterruptToken(),
                                       start_file, take_file);
  return outcome;
}

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_FILE_CALLS_H_
