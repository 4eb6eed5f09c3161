#include "server/telemetry/log_writer.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <thread>
#include <utility>

#include "server/concurrency/border.h"

namespace hearwire {
namespace {

// What cannot be written, as to a closed pipe, is lost: that is no reason to stop.
void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
      poll(&ready, 1, /*timeout=*/-1);
    } else if (errno != EINTR) {
      return;
    }
  }
}

}  // namespace

LogWriter::LogWriter(int fd) : fd_(fd) { std::thread(&LogWriter::Run, this).detach(); }

void LogWriter::Write(std::string line) {
  MutexLock lock(&mu_);
  if (waiting_bytes_ + line.size() > kMaxWaitingBytes) {
    ++dropped_;
    return;
  }
  const size_t bytes = line.size();
  if (!Contain([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { lines_.push_back(std::move(line)); }).ok()) {
    ++dropped_;
    return;
  }
  waiting_bytes_ += bytes;
  changed_.SignalAll();
}

int64_t LogWriter::TakeDropped() {
  MutexLock lock(&mu_);
  if (waiting_bytes_ > kMaxWaitingBytes / 2) return 0;
  return std::exchange(dropped_, 0);
}

bool LogWriter::Flush(SteadyTime deadline) {
  MutexLock lock(&mu_);
  while (waiting_bytes_ > 0 && SteadyTime::Now() < deadline) changed_.WaitUntil(&mu_, deadline);
  return waiting_bytes_ == 0;
}

void LogWriter::Run() {
  while (true) {
    std::string line;
    {
      MutexLock lock(&mu_);
      while (lines_.empty()) changed_.WaitUntil(&mu_, SteadyTime::InfiniteFuture());
      line = std::move(lines_.front());
      lines_.pop_front();
    }
    WriteAll(fd_, line);
    MutexLock lock(&mu_);
    waiting_bytes_ -= line.size();
    changed_.SignalAll();
  }
}

}  // namespace hearwire
