// Runs the program hearwire as a shell would.

#ifndef HEARWIRE_TESTS_CLIENT_CLI_PROGRAM_H_
#define HEARWIRE_TESTS_CLIENT_CLI_PROGRAM_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace hearwire::cli {

struct ProgramResult {
  int exit_code = -1;  // 128 and the signal's number when a signal ended it.
  std::string out;
  std::string err;
};

// A running program. Its output is kept in files until it ends.
class Program {
 public:
  // Starts `path`, or the program hearwire when it is empty. input: what it reads from standard input.
  Program(const std::vector<std::string>& arguments, const std::string& input = "", const std::string& path = "");
  ~Program();  // Kills it if it still runs.
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void Signal(int number) const;
  // What it has written to standard output so far.
  std::string out() const;
  ProgramResult Wait();

 private:
  std::string folder_;
  pid_t pid_ = -1;
};

// Runs hearwire to its end.
ProgramResult Hearwire(const std::vector<std::string>& arguments, const std::string& input = "");

// An empty folder of its own, removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  // The path of a file in it.
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Writes a file in it, making folders as needed, and returns its path.
  std::string Write(const std::string& name, const std::string& bytes) const;
  // Names of all files below it, sorted.
  std::vector<std::string> Files() const;

 private:
  std::string path_;
};

// The whole of a file; empty when there is none.
std::string ReadFile(const std::string& path);

}  // namespace hearwire::cli

#endif  // HEARWIRE_TESTS_CLIENT_CLI_PROGRAM_H_
