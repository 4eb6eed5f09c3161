// Where `hearwire stream` puts what comes: lines for people, JSON lines, a table or an array.

#ifndef HEARWIRE_CLIENT_CLI_STREAM_WRITER_H_
#define HEARWIRE_CLIENT_CLI_STREAM_WRITER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/stream.h"

namespace hearwire::cli {

// Not thread-safe.
class StreamWriter {
 public:
  virtual ~StreamWriter() = default;

  // Takes a stream's events in their order. On a pipe or a terminal they can be read when it returns.
  virtual absl::Status Write(const client::StreamEvent& event) = 0;

  // Makes a file appear, with what has come so far. Without it there is none.
  virtual absl::Status Finish() = 0;
};

struct StreamOutput {
  std::string path;    // --output: "" for lines on standard output, "-", or a file.
  std::string format;  // --format: "" for what the path says, "csv", "jsonl" or "npy".
  bool force = false;
  // What is asked for.
  bool timestamps = false;
  bool scenes = false;
  bool tags = false;
  bool heads = false;
};

// Checks all that can be known before the work starts: INVALID_ARGUMENT for what does not go together, ALREADY_EXISTS.
// Tags and heads that a table or an array has no place for are printed.
absl::StatusOr<std::unique_ptr<StreamWriter>> NewStreamWriter(const StreamOutput& output);

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_STREAM_WRITER_H_
