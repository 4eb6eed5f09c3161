// A server program of its own, started and watched by a test.

#ifndef HEARWIRE_TESTS_SERVER_SERVER_PROCESS_H_
#define HEARWIRE_TESTS_SERVER_SERVER_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace hearwire {

class ServerProcess {
 public:
  struct Options {
    std::string program;
    std::vector<std::string> arguments;
    std::map<std::string, std::string> environment;  // Beside this process's own.
    bool close_standard_streams = false;             // Starts it with 0, 1 and 2 closed: nothing can be read then.
  };

  // Starts it; a test that cannot, fails.
  explicit ServerProcess(const Options& options);
  // Kills it when it still runs.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // The next line of standard output or error, without its end; empty when the stream has ended or after 30 seconds.
  std::string ReadOutputLine() { return ReadLine(&output_); }
  std::string ReadErrorLine() { return ReadLine(&error_); }
  // What is left of standard error until it ends.
  std::string ReadErrors();
  // Reads lines of standard error up to one that holds `text`, and returns it.
  std::string WaitForError(const std::string& text);

  void Signal(int signal);
  // Its exit code, or minus the signal that killed it; -1000 when it still runs after 30 seconds.
  int Wait();

 private:
  struct Stream {
    int fd = -1;
    std::string buffer;
  };
  static std::string ReadLine(Stream* stream);

  pid_t pid_ = -1;
  Stream output_;
  Stream error_;
};

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_SERVER_SERVER_PROCESS_H_
