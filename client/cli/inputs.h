// The sounds that a command line names: files, folders and standard input.

#ifndef HEARWIRE_CLIENT_CLI_INPUTS_H_
#define HEARWIRE_CLIENT_CLI_INPUTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hearwire::cli {

struct Input {
  std::string path;     // What to open, and what messages and results call it; "-" is standard input.
  std::string outputs;  // What its outputs in a folder are named after: a relative path, "stdin" for standard input.
};

struct Inputs {
  std::vector<Input> files;  // In the order of the arguments, those of a folder by name.
  bool one_file = false;     // The command line names one file, and no folder: its result stands alone.
  // What was found below folders and cannot be taken, a line each: folders that cannot be read, and names of audio
  // files that are no files.
  std::vector<std::string> left_out;
  // What is worth a line and no failure: folders that links lead to again, hidden audio files.
  std::vector<std::string> notes;
};

// Folders are searched to all depths for files with an audio file's extension; names that start with a dot are passed
// by. Links to folders are followed, and every folder is searched once, however many links lead to it or back to it.
// Files are taken whatever they are called, and are not opened: one that is not there is found out when its turn comes.
// INVALID_ARGUMENT: a folder without audio files, or standard input named twice. Otherwise the code of a folder among
// the arguments that cannot be read.
absl::StatusOr<Inputs> FindInputs(const std::vector<std::string>& arguments);

// The bytes of an input. RESOURCE_EXHAUSTED: more than max_bytes. CANCELLED: interrupted while waiting for standard
// input. NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (not a file, or empty) otherwise.
absl::StatusOr<std::string> ReadInput(const Input& input, int64_t max_bytes);

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_INPUTS_H_
