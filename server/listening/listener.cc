#include "server/listening/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/concurrency/border.h"
#include "server/concurrency/mutex.h"
#include "server/listening/accept_error.h"
#include "server/listening/open_connections.h"

namespace hearwire {
namespace {

// Of each socket at a time, so that the thread also sees to the rest.
constexpr int kAcceptsAtATime = 64;
// When it stops to listen: as many as may wait in a socket.
constexpr int kLastAccepts = 4096;
// How long the listener leaves its sockets alone when the system has nothing left to accept with.
constexpr absl::Duration kPause = absl::Milliseconds(100);
// How often all connections are looked at, at the rarest and at the most often.
constexpr absl::Duration kLongestRound = absl::Seconds(5);
constexpr absl::Duration kShortestRound = absl::Milliseconds(20);

// What epoll tells of; from the third on, sockets that listen.
constexpr uint64_t kWake = 0;
constexpr uint64_t kEnded = 1;
constexpr uint64_t kFirstSocket = 2;

// What gRPC sets on connections that it accepts by itself; on Linux they have it of the socket that listens.
void SetTcpOptions(int socket, absl::Duration unacknowledged_timeout) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const auto timeout_ms = static_cast<unsigned>(absl::ToInt64Milliseconds(unacknowledged_timeout));
  if (timeout_ms > 0) setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

FileDescriptor OpenReserve() { return FileDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

absl::Duration RoundOf(const ListenerOptions& options) {
  if (options.request_timeout == absl::ZeroDuration()) return kLongestRound;
  return std::clamp(options.request_timeout / 4, kShortestRound, kLongestRound);
}

class EpollListener final : public Listener {
 public:
  EpollListener(ListenerOptions options, ConnectionHandler* handler, CallsByPeer* calls, ConnectionEvents* events)
      : options_(std::move(options)),
        round_(RoundOf(options_)),
        handler_(handler),
        events_(events),
        connections_({{options_.max_connections, options_.max_connections_per_address},
                      options_.request_timeout,
                      options_.most_age,
                      options_.memory},
                     handler, calls, events) {}
  ~EpollListener() override;

  void Start(std::vector<FileDescriptor> tcp, FileDescriptor unix_socket, SocketFile unix_file) override;
  void StopListening() override;
  std::optional<SteadyTime> AcceptedAt(const PeerAddress& peer) const override { return connections_.AcceptedAt(peer); }

 private:
  struct ListeningSocket {
    FileDescriptor socket;
    bool is_unix;
  };

  void Run();
  void Watch(int fd, uint64_t what) const;
  void WatchSockets() const;
  void Wake() const;
  int WaitMilliseconds() const;  // For epoll.

  void Accept(const ListeningSocket& listening, int most);
  void TakeIn(FileDescriptor socket, bool is_unix, const sockaddr_storage& address);
  // Takes one with the descriptor that is kept for this, and closes it. False: not even that works.
  bool TurnOneAway(const ListeningSocket& listening);
  void Pause();
  void CloseSockets();

  const ListenerOptions options_;
  const absl::Duration round_;
  ConnectionHandler* const handler_;
  ConnectionEvents* const events_;
  OpenConnections connections_;

  // Set by Start, then the thread's own.
  FileDescriptor epoll_;
  FileDescriptor wake_;
  FileDescriptor reserve_;  // Given up for a moment when there is no other one.
  std::vector<ListeningSocket> sockets_;
  std::optional<SocketFile> unix_file_;
  std::optional<SteadyTime> paused_until_;
  SteadyTime next_round_;
  SteadyTime next_memory_look_;

  Mutex mu_;
  CondVar changed_;
  bool listens_ ABSL_GUARDED_BY(mu_) = false;
  bool stops_listening_ ABSL_GUARDED_BY(mu_) = false;
  bool ends_ ABSL_GUARDED_BY(mu_) = false;

  std::thread thread_;
};

EpollListener::~EpollListener() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(&mu_);
    ends_ = true;
  }
  Wake();
  thread_.join();
}

void EpollListener::Start(std::vector<FileDescriptor> tcp, FileDescriptor unix_socket, SocketFile unix_file) {
  epoll_ = FileDescriptor(epoll_create1(EPOLL_CLOEXEC));
  wake_ = FileDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  reserve_ = OpenReserve();
  for (const FileDescriptor& socket : tcp) SetTcpOptions(socket.get(), options_.unacknowledged_timeout);
  for (FileDescriptor& socket : tcp) sockets_.push_back({std::move(socket), /*is_unix=*/false});
  if (unix_socket.is_open()) sockets_.push_back({std::move(unix_socket), /*is_unix=*/true});
  unix_file_ = std::move(unix_file);
  next_round_ = SteadyTime::Now() + round_;
  next_memory_look_ = options_.memory.resident ? SteadyTime::Now() : SteadyTime::InfiniteFuture();
  Watch(wake_.get(), kWake);
  Watch(connections_.ended(), kEnded);
  WatchSockets();
  {
    MutexLock lock(&mu_);
    listens_ = true;
  }
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "listener");
    Run();
  });
}

void EpollListener::StopListening() {
  MutexLock lock(&mu_);
  stops_listening_ = true;
  if (listens_) Wake();
  while (listens_) changed_.WaitUntil(&mu_, SteadyTime::InfiniteFuture());
}

void EpollListener::Watch(int fd, uint64_t what) const {
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = what;
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void EpollListener::WatchSockets() const {
  for (size_t i = 0; i < sockets_.size(); ++i) Watch(sockets_[i].socket.get(), kFirstSocket + i);
}

void EpollListener::Wake() const {
  const uint64_t one = 1;
  (void)!write(wake_.get(), &one, sizeof(one));
}

int EpollListener::WaitMilliseconds() const {
  const SteadyTime round = std::min(next_round_, next_memory_look_);
  const SteadyTime next = paused_until_ ? std::min(*paused_until_, round) : round;
  const absl::Duration wait = std::clamp(next - SteadyTime::Now(), absl::ZeroDuration(), kLongestRound);
  return static_cast<int>(absl::ToInt64Milliseconds(wait)) + 1;
}

void EpollListener::Run() {
  std::array<epoll_event, 64> found;
  while (true) {
    const int count = epoll_wait(epoll_.get(), found.data(), static_cast<int>(found.size()), WaitMilliseconds());
    bool stops_listening = false;
    {
      MutexLock lock(&mu_);
      if (ends_) return;
      stops_listening = stops_listening_;
    }
    // Ends first: they make room.
    for (int i = 0; i < count; ++i) {
      if (found[i].data.u64 == kEnded) connections_.ForgetEnded();
    }
    const SteadyTime now = SteadyTime::Now();
    // Before others come in.
    if (now >= next_memory_look_) {
      absl::Duration wait = MemoryGuard::kLook;
      (void)Contain([&] { wait = connections_.GuardMemory(); });
      next_memory_look_ = SteadyTime::Now() + wait;
    }
    if (paused_until_ && now >= *paused_until_) {
      paused_until_.reset();
      WatchSockets();
    }
    for (int i = 0; i < count; ++i) {
      const uint64_t what = found[i].data.u64;
      if (what >= kFirstSocket && !paused_until_) Accept(sockets_[what - kFirstSocket], kAcceptsAtATime);
    }
    if (stops_listening) CloseSockets();
    if (now >= next_round_) {
      (void)Contain([this] { connections_.EndOverdue(); });
      next_round_ = now + round_;
    }
  }
}

void EpollListener::CloseSockets() {
  uint64_t woken;
  (void)!read(wake_.get(), &woken, sizeof(woken));
  // Whoever has connected is served: closing a socket resets those that wait in it.
  for (const ListeningSocket& socket : sockets_) Accept(socket, kLastAccepts);
  sockets_.clear();
  if (unix_file_) unix_file_->Remove();
  unix_file_.reset();
  MutexLock lock(&mu_);
  listens_ = false;
  changed_.SignalAll();
}

void EpollListener::Accept(const ListeningSocket& listening, int most) {
  for (int i = 0; i < most; ++i) {
    sockaddr_storage address = {};
    socklen_t size = sizeof(address);
    FileDescriptor socket(
        accept4(listening.socket.get(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.is_open()) {
      const absl::Status taken = Contain([&] { TakeIn(std::move(socket), listening.is_unix, address); });
      if (!taken.ok()) events_->OnRefused(ConnectionEvents::Refused::kMemory);
      continue;
    }
    switch (ToAfterAcceptError(errno)) {
      case AfterAcceptError::kWait:
        return;
      case AfterAcceptError::kNext:
        break;
      case AfterAcceptError::kMakeRoom:
        if (!TurnOneAway(listening)) return Pause();
        break;
      case AfterAcceptError::kPause:
        events_->OnRefused(ConnectionEvents::Refused::kMemory);
        return Pause();
    }
  }
}

void EpollListener::TakeIn(FileDescriptor socket, bool is_unix, const sockaddr_storage& address) {
  std::optional<uid_t> uid;
  std::optional<PeerAddress> peer;
  ConnectionTable::Origin origin;
  if (is_unix) {
    ucred who = {};
    socklen_t size = sizeof(who);
    if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) == 0) uid = who.uid;
    origin.name = uid ? absl::StrCat("unix:", *uid) : "unix";
  } else if ((peer = ToPeerAddress(address))) {
    origin.name = OriginOf(*peer);
  }
  if (options_.is_exempt) origin.is_exempt = options_.is_exempt(peer ? ToText(*peer) : origin.name);
  const std::optional<OpenConnections::Id> id = connections_.Add(socket.get(), peer, origin);
  if (!id) return;
  if (!Contain([&] { handler_->Serve(std::move(socket), uid); }).ok()) connections_.GiveUp(*id);
}

bool EpollListener::TurnOneAway(const ListeningSocket& listening) {
  // There may be fewer descriptors than the limit of connections was made for.
  connections_.GiveUpOne();
  reserve_.Close();
  FileDescriptor socket(accept4(listening.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const bool accepted = socket.is_open();
  socket.Close();
  reserve_ = OpenReserve();
  if (accepted) events_->OnRefused(ConnectionEvents::Refused::kDescriptors);
  return accepted && reserve_.is_open();
}

void EpollListener::Pause() {
  if (!paused_until_) {
    for (const ListeningSocket& socket : sockets_) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket.socket.get(), nullptr);
  }
  paused_until_ = SteadyTime::Now() + kPause;
  if (!reserve_.is_open()) reserve_ = OpenReserve();
}

}  // namespace

std::unique_ptr<Listener> Listener::Create(ListenerOptions options, ConnectionHandler* handler, CallsByPeer* calls,
                                           ConnectionEvents* events) {
  return std::make_unique<EpollListener>(std::move(options), handler, calls, events);
}

}  // namespace hearwire
