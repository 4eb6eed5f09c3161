// Fetches a file over HTTP, and goes on where an earlier attempt was cut off.

#ifndef HEARWIRE_CLIENT_CLI_FETCH_FILE_H_
#define HEARWIRE_CLIENT_CLI_FETCH_FILE_H_

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cli/checkpoint_file.h"

namespace hearwire::cli {

struct FetchRequest {
  std::string url;   // http or https. From https it is never led elsewhere than to https.
  std::string path;  // Where the file shall be. Until it is whole and checked it is called PATH.part.
  std::function<absl::Status(const std::string& path, const FileSummary& summary)> check;  // Of the whole file.
  std::function<void(int64_t done, int64_t total)> on_progress;                            // Bytes; total 0: not known.
  std::stop_token stop;
  int attempts = 4;                                  // In a row without a single new byte.
  absl::Duration first_pause = absl::Seconds(1);     // Between attempts; it doubles.
  absl::Duration stalled_after = absl::Seconds(30);  // Without any byte.
  int64_t max_bytes = int64_t{2} << 30;
};

struct FetchedFile {
  FileSummary summary;
  int64_t resumed_bytes = 0;  // That an earlier run had left in PATH.part.
};

// Replaces the file at `path`, or that a link there leads to; writes into a pipe or a device. A PATH.part of the same
// URL is gone on with when the server says that the file is still the same one (its entity tag or date, kept in
// PATH.part.source), else begun anew. When it fails:
//   NOT_FOUND            the server has no such file
//   UNAVAILABLE          the server cannot be found or reached, or breaks off time and again; PATH.part stays
//   RESOURCE_EXHAUSTED   the disk is full (PATH.part stays), or the file is larger than max_bytes
//   INVALID_ARGUMENT     `check` refused the file, which is removed, or the URL is no http or https URL
//   ALREADY_EXISTS       another program is fetching the same file, or `path` is a folder or a socket
//   CANCELLED            by `stop`; PATH.part stays
absl::StatusOr<FetchedFile> FetchFile(const FetchRequest& request);

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_FETCH_FILE_H_
