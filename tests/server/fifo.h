// How a test directs the staged server.

#ifndef HEARWIRE_TESTS_SERVER_FIFO_H_
#define HEARWIRE_TESTS_SERVER_FIFO_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>

namespace hearwire {

// A FIFO that a step of the staged server waits at.
class Fifo {
 public:
  Fifo() {
    static int count = 0;
    path_ = testing::TempDir() + "staged_" + std::to_string(getpid()) + "_" + std::to_string(count++);
    EXPECT_EQ(mkfifo(path_.c_str(), 0600), 0);
  }
  ~Fifo() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

  // Waits until the server has come to the step, then lets it go on with `word`.
  void Write(const std::string& word) {
    const int fd = open(path_.c_str(), O_WRONLY);  // Blocks until it is read.
    EXPECT_EQ(write(fd, word.data(), word.size()), static_cast<ssize_t>(word.size()));
    close(fd);
  }
  // Waits until the server has come to the step; it goes on, with "ok", when what is returned goes.
  std::shared_ptr<int> Hold() {
    return std::shared_ptr<int>(new int(open(path_.c_str(), O_WRONLY)), [](int* fd) {
      EXPECT_TRUE(write(*fd, "ok", 2) == 2 || errno == EPIPE);
      close(*fd);
      delete fd;
    });
  }

 private:
  std::string path_;
};

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_SERVER_FIFO_H_
