// The file server of http_server.py, running.

#ifndef HEARWIRE_TESTS_CLIENT_CLI_HTTP_SERVER_H_
#define HEARWIRE_TESTS_CLIENT_CLI_HTTP_SERVER_H_

#include <string>
#include <thread>
#include <vector>

#include "tests/client/cli/program.h"

namespace hearwire::cli {

class HttpServer {
 public:
  // Serves the files of a folder.
  explicit HttpServer(const std::string& folder)
      : program_({HEARWIRE_SOURCE_DIR "/tests/client/cli/http_server.py", folder}, "", "python3") {
    while (program_.out().find('\n') == std::string::npos) std::this_thread::yield();
    url_ = "http://127.0.0.1:" + program_.out().substr(0, program_.out().find('\n')) + "/";
  }

  // Ends with a slash; the way it behaves comes next.
  const std::string& url() const { return url_; }
  // What it was asked for, a line for each request.
  std::string requests() const { return program_.out().substr(program_.out().find('\n') + 1); }

 private:
  Program program_;
  std::string url_;
};

}  // namespace hearwire::cli

#endif  // HEARWIRE_TESTS_CLIENT_CLI_HTTP_SERVER_H_
