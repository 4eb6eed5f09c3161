#include "server/run_server.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/address_space.h"
#include "server/concurrency/border.h"
#include "server/concurrency/mutex.h"
#include "server/concurrency/steady_time.h"
#include "server/last_words.h"
#include "server/listening/connection_limits.h"
#include "server/machine.h"
#include "server/memory_return.h"
#include "server/rpc/read_message.h"
#include "server/service_manager.h"
#include "server/stop_signals.h"
#include "server/telemetry/exposer.h"
#include "server/telemetry/log.h"

namespace hearwire {
namespace {

// When the device is lost its calls fail at once, and when a batch hangs it will not end; this is for answers to leave.
constexpr absl::Duration kFailureDrain = absl::Seconds(1);

// Before any are tried: the main one, and the signals'.
constexpr int kThreadsBefore = 2;

// For the log's last lines; whoever reads them may not.
constexpr absl::Duration kLogFlush = absl::Milliseconds(500);

// Why the server should end. Thread-safe.
class StopRequest {
 public:
  enum class Reason { kNone, kSignal, kDeviceLost, kBatchHung };

  // A failure outdoes a signal, and the first one counts.
  void Set(Reason reason) {
    MutexLock lock(&mu_);
    if (!IsFailure()) reason_ = reason;
    changed_.SignalAll();
  }
  Reason Wait() {
    MutexLock lock(&mu_);
    while (reason_ == Reason::kNone) changed_.WaitUntil(&mu_, SteadyTime::InfiniteFuture());
    return reason_;
  }
  // Likewise, but waits for a failure, or until `time`.
  Reason WaitForFailure(SteadyTime time) {
    MutexLock lock(&mu_);
    while (!IsFailure() && SteadyTime::Now() < time) changed_.WaitUntil(&mu_, time);
    return reason_;
  }

 private:
  bool IsFailure() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return reason_ == Reason::kDeviceLost || reason_ == Reason::kBatchHung;
  }

  Mutex mu_;
  CondVar changed_;
  Reason reason_ ABSL_GUARDED_BY(mu_) = Reason::kNone;
};

// What the signals' thread shares with the main one; never freed, for that thread never ends.
struct Life {
  StopRequest stop;
  std::atomic<Server*> server = nullptr;  // Once it serves.
  std::atomic<bool> reload_wanted = false;
  std::unique_ptr<MemoryReturn> memory_return;
  // Both are set before `server`, and constant from then on.
  std::unique_ptr<ServiceManager> manager;
  std::string serving;  // What the manager shows while all is well.
};

sigset_t HandledSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

// Whoever finds both, the wish and the server, passes it on.
void PassReloadOn(Life* life) {
  Server* const server = life->server;
  if (server == nullptr || !life->reload_wanted.exchange(false)) return;
  life->manager->OnReloading(SteadyTime::Now());
  server->Reload([life](const absl::Status& status) {
    // What a reload refuses has a line of its own.
    const bool told = status.ok() || absl::IsFailedPrecondition(status);
    if (!told) Log(LogLevel::kInfo, "not reloaded", {{"error", status}});
    const absl::string_view refused = status.message();
    life->manager->OnServing(status.ok() ? life->serving : absl::StrCat(life->serving, "; reload refused: ", refused));
  });
}

void HandleSignals(Life* life) {
  const sigset_t signals = HandledSignals();
  StopSignals stop_signals;
  while (true) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    const char* name = sigabbrev_np(signal);
    if (signal == SIGHUP) {
      Log(LogLevel::kInfo, life->server != nullptr ? "reloading" : "reloading once it serves", {{"signal", name}});
      life->reload_wanted = true;
      PassReloadOn(life);
      continue;
    }
    if (life->server == nullptr) {
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
  signal(SIGHUP, SIG_DFL);  // main ignores it until here.
  std::thread(HandleSignals, life).detach();
}

// Opens what is closed of standard input, output and error, so that no socket takes its number and gets our lines.
void OpenStandardStreams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) std::_Exit(kExitCannotStart);
  }
}

int CannotStart(const ServerOptions& options, const absl::Status& status, ServiceManager* manager) {
  const absl::string_view message = status.message();
  if (manager != nullptr) manager->OnCannotStart(std::string(message));
  const std::vector<LogField> fields = {{"error", std::string_view(message.data(), message.size())}};
  const absl::Status logged = Contain([&] {
    if (options.log_format == LogFormat::kJson) Log(LogLevel::kError, "cannot start", fields);
    FlushLog(SteadyTime::Now() + kLogFlush);
  });
  // The log has a thread of its own, which the system may have refused.
  if (options.log_format == LogFormat::kJson && !logged.ok()) {
    std::fprintf(stderr, "{\"level\":\"error\",%s}\n", FormatLogLine(LogFormat::kJson, "cannot start", fields).c_str());
  }
  if (options.log_format == LogFormat::kText) {
    std::fprintf(stderr, "hearwire-server: %.*s\n", static_cast<int>(message.size()), message.data());
  }
  return kExitCannotStart;
}

// A server that cannot tell its manager serves all the same.
std::unique_ptr<ServiceManager> FindServiceManager() {
  const char* const socket = std::getenv("NOTIFY_SOCKET");
  absl::StatusOr<std::unique_ptr<ServiceManager>> manager = ServiceManager::Create(socket != nullptr ? socket : "");
  if (manager.ok()) return *std::move(manager);
  Log(LogLevel::kWarning, "the service manager is not told anything", {{"error", manager.status()}});
  return *ServiceManager::Create("");
}

// gRPC goes on without the threads that it is refused, and answers nobody. So all are tried before any is needed.
absl::Status CheckThreads(const Machine& machine, const ServerOptions& options) {
  const int workers = options.workers > 0 ? options.workers : machine.cpus;
  const int needed = workers + machine.cpus + kOtherThreads;
  const int started = kThreadsBefore + TryThreads(needed - kThreadsBefore);
  if (started == needed) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "this server needs ", needed, " threads for ", workers, " workers, and the system refuses it more than ", started,
      ": raise what limits them (ulimit -u, pids.max, or ulimit -v for their stacks)",
      workers > 1 ? ", or lower --workers" : ""));
}

// Both are left behind: the one would take two seconds to stop, and calls that do not end may use the other.
struct Started {
  Exposer* exposer;
  Server* server;
};

absl::StatusOr<Started> Start(const ServerOptions& options, ServerSeams seams, const std::vector<std::string>& warnings,
                              Life* life) {
  const ResourceLimits limits = ReadResourceLimits();
  seams.machine = ReadMachine("", ReadAffinity(), limits);
  ArrangeAllocator(AllocatorArenas(seams.machine.cpus, limits.address_space_bytes > 0));
  StartSignalThread(life);
  StartLog(options.log_format, options.log_level);
  for (const std::string& warning : warnings) Log(LogLevel::kWarning, warning);
  life->manager = FindServiceManager();
  const DescriptorLimit descriptors = RaiseDescriptorLimit();
  seams.machine.descriptors = descriptors.now;
  if (absl::Status status = CheckThreads(seams.machine, options); !status.ok()) return status;
  if (descriptors.now != descriptors.before) {
    Log(LogLevel::kInfo, "limit of file descriptors raised", {{"from", descriptors.before}, {"to", descriptors.now}});
  }
  has_room_for_message = AddressSpaceHasRoomFor;

  // Before any library takes much thread-local storage.
  absl::StatusOr<std::unique_ptr<Exposer>> exposer = Exposer::Create(options.host, options.metrics_port);
  if (!exposer.ok()) return exposer.status();
  // Not freed when the start fails either: the process ends.
  Exposer* const left_behind = exposer->release();

  seams.on_device_lost = [life] { life->stop.Set(StopRequest::Reason::kDeviceLost); };
  seams.on_batch_hung = [life] { life->stop.Set(StopRequest::Reason::kBatchHung); };
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Create(options, left_behind, seams);
  if (!server.ok()) return server.status();
  return Started{left_behind, server->release()};
}

}  // namespace

int RunServer(const ServerOptions& options, ServerSeams seams, const std::vector<std::string>& warnings) {
  OpenStandardStreams();
  InstallLastWords(options.log_format);
  auto* const life = new Life;
  const absl::StatusOr<Started> started = Contain([&] { return Start(options, std::move(seams), warnings, life); });
  if (!started.ok()) return CannotStart(options, started.status(), life->manager.get());
  Server* const server = started->server;

  // Left behind too.
  const absl::Status returning = Contain([life, server] {
    life->memory_return = std::make_unique<MemoryReturn>([server] { return server->calls_in_flight(); });
  });
  if (!returning.ok()) return CannotStart(options, returning, life->manager.get());

  std::printf("gRPC listening on %s\nmetrics listening on %s\n", server->grpc_address().c_str(),
              started->exposer->address().c_str());
  std::fflush(stdout);
  life->serving = absl::StrCat("serving on ", server->grpc_address(), ", metrics on ", started->exposer->address());
  life->manager->OnServing(life->serving);
  life->server = server;
  PassReloadOn(life);

  StopRequest::Reason reason = life->stop.Wait();
  if (reason == StopRequest::Reason::kSignal) {
    server->EnterLameDuck();
    life->manager->OnStopping("finishing the calls in flight");
    reason = life->stop.WaitForFailure(SteadyTime::Now() + options.lame_duck);
  }
  const bool failed = reason != StopRequest::Reason::kSignal;
  if (failed)
    life->manager->OnStopping(reason == StopRequest::Reason::kDeviceLost ? "the device is lost" : "a batch hung");
  server->Drain(SteadyTime::Now() + (failed ? kFailureDrain : options.drain_deadline));
  Log(LogLevel::kInfo, "ended");
  FlushLog(SteadyTime::Now() + kLogFlush);
  if (!failed) return 0;
  return reason == StopRequest::Reason::kDeviceLost ? kExitDeviceLost : kExitBatchHung;
}

}  // namespace hearwire
