#include "server/run_server.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include "server/concurrency/mutex.h"
#include "server/concurrency/steady_time.h"
#include "server/listening/connection_limits.h"
#include "server/machine.h"
#include "server/stop_signals.h"
#include "server/telemetry/exposer.h"
#include "server/telemetry/log.h"

namespace hearwire {
namespace {

// When the device is lost its calls fail at once; this is for their answers to leave.
constexpr absl::Duration kDeviceLostDrain = absl::Seconds(1);

// For the log's last lines; whoever reads them may not.
constexpr absl::Duration kLogFlush = absl::Milliseconds(500);

// Why the server should end. Thread-safe.
class StopRequest {
 public:
  enum class Reason { kNone, kSignal, kDeviceLost };

  // A lost device outdoes a signal.
  void Set(Reason reason) {
    MutexLock lock(&mu_);
    if (reason_ != Reason::kDeviceLost) reason_ = reason;
    changed_.SignalAll();
  }
  Reason Wait() {
    MutexLock lock(&mu_);
    while (reason_ == Reason::kNone) changed_.WaitUntil(&mu_, SteadyTime::InfiniteFuture());
    return reason_;
  }
  // Whether the device is lost; waits until then or until `time`.
  bool WaitForDeviceLost(SteadyTime time) {
    MutexLock lock(&mu_);
    while (reason_ != Reason::kDeviceLost && SteadyTime::Now() < time) changed_.WaitUntil(&mu_, time);
    return reason_ == Reason::kDeviceLost;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  Reason reason_ ABSL_GUARDED_BY(mu_) = Reason::kNone;
};

// What the signals' thread shares with the main one; never freed, for that thread never ends.
struct Life {
  StopRequest stop;
  std::atomic<bool> serving = false;
};

sigset_t HandledSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

void HandleSignals(Life* life) {
  const sigset_t signals = HandledSignals();
  StopSignals stop_signals;
  while (true) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    const char* name = sigabbrev_np(signal);
    if (signal == SIGHUP) {
      Log(LogLevel::kInfo, "signal ignored", {{"signal", name}});
      continue;
    }
    if (!life->serving) {
      Log(LogLevel::kInfo, "stopped while starting", {{"signal", name}});
      FlushLog(SteadyTime::Now() + kLogFlush);
      std::_Exit(0);
    }
    switch (stop_signals.Take(SteadyTime::Now())) {
      case StopSignals::Meaning::kStop:
        Log(LogLevel::kInfo, "stopping", {{"signal", name}});
        life->stop.Set(StopRequest::Reason::kSignal);
        break;
      case StopSignals::Meaning::kRepeat:
        Log(LogLevel::kInfo, "the same signal again: counted once", {{"signal", name}});
        break;
      case StopSignals::Meaning::kEndNow:
        Log(LogLevel::kWarning, "second signal: ending now", {{"signal", name}});
        FlushLog(SteadyTime::Now() + kLogFlush);
        std::_Exit(128 + signal);
    }
  }
}

// Every later thread inherits the mask, so that only sigwait takes these signals.
void StartSignalThread(Life* life) {
  signal(SIGPIPE, SIG_IGN);
  const sigset_t signals = HandledSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread(HandleSignals, life).detach();
}

// Opens what is closed of standard input, output and error, so that no socket takes its number and gets our lines.
void OpenStandardStreams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) std::_Exit(kExitCannotStart);
  }
}

int CannotStart(const ServerOptions& options, const absl::Status& status) {
  const absl::string_view message = status.message();
  if (options.log_format == LogFormat::kJson) {
    Log(LogLevel::kError, "cannot start", {{"error", std::string_view(message.data(), message.size())}});
  }
  FlushLog(SteadyTime::Now() + kLogFlush);
  if (options.log_format == LogFormat::kText) {
    std::fprintf(stderr, "hearwire-server: %.*s\n", static_cast<int>(message.size()), message.data());
  }
  return kExitCannotStart;
}

}  // namespace

int RunServer(const ServerOptions& options, ServerSeams seams) {
  OpenStandardStreams();
  auto* const life = new Life;
  StartSignalThread(life);
  StartLog(options.log_format, options.log_level);

  // First, while no library has taken much thread-local storage. Left behind: it would take two seconds to stop.
  absl::StatusOr<std::unique_ptr<Exposer>> made = Exposer::Create(options.host, options.metrics_port);
  if (!made.ok()) return CannotStart(options, made.status());
  Exposer* const exposer = made->release();

  seams.machine = ReadMachine("", ReadAffinity());
  const DescriptorLimit descriptors = RaiseDescriptorLimit();
  seams.machine.descriptors = descriptors.now;
  if (descriptors.now != descriptors.before) {
    Log(LogLevel::kInfo, "limit of file descriptors raised", {{"from", descriptors.before}, {"to", descriptors.now}});
  }
  seams.on_device_lost = [life] { life->stop.Set(StopRequest::Reason::kDeviceLost); };
  absl::StatusOr<std::unique_ptr<Server>> created = Server::Create(options, exposer, seams);
  if (!created.ok()) return CannotStart(options, created.status());
  Server* const server = created->release();  // Left behind too: calls that do not end may use it.

  life->serving = true;
  std::printf("gRPC listening on %s\nmetrics listening on %s\n", server->grpc_address().c_str(),
              exposer->address().c_str());
  std::fflush(stdout);

  bool device_lost = life->stop.Wait() == StopRequest::Reason::kDeviceLost;
  if (!device_lost) {
    server->EnterLameDuck();
    device_lost = life->stop.WaitForDeviceLost(SteadyTime::Now() + options.lame_duck);
  }
  server->Drain(SteadyTime::Now() + (device_lost ? kDeviceLostDrain : options.drain_deadline));
  Log(LogLevel::kInfo, "ended");
  FlushLog(SteadyTime::Now() + kLogFlush);
  return device_lost ? kExitDeviceLost : 0;
}

}  // namespace hearwire
