#include "tests/server/server_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

extern char** environ;

namespace hearwire {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience(30);

std::vector<char*> Pointers(std::vector<std::string>* texts) {
  std::vector<char*> pointers;
  for (std::string& text : *texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

ServerProcess::ServerProcess(const Options& options) {
  int output[2];
  int error[2];
  EXPECT_EQ(pipe2(output, O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(error, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (options.close_standard_streams) {
    for (int fd = 0; fd <= 2; ++fd) posix_spawn_file_actions_addclose(&actions, fd);
  } else {
    posix_spawn_file_actions_adddup2(&actions, output[1], 1);
    posix_spawn_file_actions_adddup2(&actions, error[1], 2);
  }
  std::vector<std::string> arguments = {options.program};
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  for (const auto& [name, value] : options.environment) variables.push_back(name + "=" + value);
  EXPECT_EQ(posix_spawn(&pid_, options.program.c_str(), &actions, nullptr, Pointers(&arguments).data(),
                        Pointers(&variables).data()),
            0)
      << options.program;
  posix_spawn_file_actions_destroy(&actions);
  close(output[1]);
  close(error[1]);
  output_.fd = output[0];
  error_.fd = error[0];
}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(output_.fd);
  close(error_.fd);
}

std::string ServerProcess::ReadLine(Stream* stream) {
  const Clock::time_point deadline = Clock::now() + kPatience;
  while (true) {
    if (const size_t end = stream->buffer.find('\n'); end != std::string::npos) {
      const std::string line = stream->buffer.substr(0, end);
      stream->buffer.erase(0, end + 1);
      return line;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waiting{stream->fd, POLLIN, 0};
    if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) <= 0) return "";
    char bytes[4096];
    const ssize_t count = read(stream->fd, bytes, sizeof(bytes));
    if (count <= 0) return "";
    stream->buffer.append(bytes, static_cast<size_t>(count));
  }
}

std::string ServerProcess::ReadErrors() {
  std::string all;
  for (std::string line = ReadErrorLine(); !line.empty(); line = ReadErrorLine()) all += line + "\n";
  return all;
}

std::string ServerProcess::WaitForError(const std::string& text) {
  std::string seen;
  for (std::string line = ReadErrorLine(); !line.empty(); line = ReadErrorLine()) {
    if (line.find(text) != std::string::npos) return line;
    seen += line + "\n";
  }
  ADD_FAILURE() << "\"" << text << "\" never came:\n" << seen;
  return "";
}

void ServerProcess::Signal(int signal) { EXPECT_EQ(kill(pid_, signal), 0); }

int ServerProcess::Wait() {
  const Clock::time_point deadline = Clock::now() + kPatience;
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (Clock::now() > deadline) return -1000;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace hearwire
