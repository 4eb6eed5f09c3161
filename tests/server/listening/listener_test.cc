#include "server/listening/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/concurrency/mutex.h"

namespace hearwire {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

// Keeps what it is handed, as a server does.
class KeptConnections final : public ConnectionHandler {
 public:
  void Serve(FileDescriptor socket, std::optional<uid_t> uid) override {
    absl::SleepFor(absl::Milliseconds(serve_ms_.load()));
    if (fails_) throw std::bad_alloc();
    MutexLock lock(&mu_);
    sockets_.push_back(std::move(socket));
    uids_.push_back(uid);
  }
  Calls CountCalls(const PeerAddress& peer) override {
    MutexLock lock(&mu_);
    return {.open = calls_[peer], .so_far = calls_[peer]};
  }
  void SetCalls(const PeerAddress& peer, int64_t calls) {
    MutexLock lock(&mu_);
    calls_[peer] = calls;
  }
  // How long it takes to take one.
  void set_serve_ms(int milliseconds) { serve_ms_ = milliseconds; }
  void set_fails(bool fails) { fails_ = fails; }
  // A value of each socket.
  int Option(size_t i, int option) {
    MutexLock lock(&mu_);
    int value = 0;
    socklen_t size = sizeof(value);
    getsockopt(sockets_.at(i).get(), IPPROTO_TCP, option, &value, &size);
    return value;
  }
  // As gRPC does: it shuts a connection down and closes it.
  void CloseAll() {
    MutexLock lock(&mu_);
    for (const FileDescriptor& socket : sockets_) shutdown(socket.get(), SHUT_RDWR);
    sockets_.clear();
  }
  std::vector<std::optional<uid_t>> uids() {
    MutexLock lock(&mu_);
    return uids_;
  }

 private:
  std::atomic<int> serve_ms_ = 0;
  std::atomic<bool> fails_ = false;
  Mutex mu_;
  std::vector<FileDescriptor> sockets_ ABSL_GUARDED_BY(mu_);
  std::vector<std::optional<uid_t>> uids_ ABSL_GUARDED_BY(mu_);
  std::map<PeerAddress, int64_t> calls_ ABSL_GUARDED_BY(mu_);
};

class CountedEvents final : public ConnectionEvents {
 public:
  void OnAccepted() override { ++accepted; }
  void OnOpen(int64_t connections) override { open = connections; }
  void OnRefused(Refused reason) override { ++refused[static_cast<size_t>(reason)]; }
  void OnClosed(Closed reason) override { ++closed[static_cast<size_t>(reason)]; }
  int Count(Refused reason) const { return refused[static_cast<size_t>(reason)]; }
  int Count(Closed reason) const { return closed[static_cast<size_t>(reason)]; }

  std::atomic<int> accepted = 0;
  std::atomic<int64_t> open = 0;
  std::array<std::atomic<int>, 4> refused = {};
  std::array<std::atomic<int>, 5> closed = {};
};

using Closed = ConnectionEvents::Closed;
using Refused = ConnectionEvents::Refused;

class ListenerTest : public testing::Test {
 protected:
  void Start(ListenerOptions options) {
    auto tcp = ListenOnTcp("127.0.0.1", 0);
    ASSERT_TRUE(tcp.ok()) << tcp.status();
    port_ = tcp->port;
    path_ = absl::StrCat(testing::TempDir(), "listener_test_", getpid(), ".sock");
    auto unix_socket = ListenOnUnixSocket(path_, 0600);
    ASSERT_TRUE(unix_socket.ok()) << unix_socket.status();
    listener_ = Listener::Create(std::move(options), &connections_, &calls_, &events_);
    listener_->Start(std::move(tcp->sockets), *std::move(unix_socket), SocketFile(path_));
  }
  ~ListenerTest() override {
    listener_.reset();
    unlink(path_.c_str());
  }

  FileDescriptor Connect() {
    FileDescriptor client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port_));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) client.Close();
    return client;
  }
  FileDescriptor ConnectLocally() {
    FileDescriptor client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) client.Close();
    return client;
  }
  static PeerAddress AddressOf(const FileDescriptor& client) {
    sockaddr_storage address = {};
    socklen_t size = sizeof(address);
    getsockname(client.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return ToPeerAddress(address).value_or(PeerAddress());
  }
  // Whether the other side has ended the connection.
  static bool HasEnded(const FileDescriptor& client) {
    pollfd poll_for = {.fd = client.get(), .events = POLLIN, .revents = 0};
    char byte;
    return poll(&poll_for, 1, 0) == 1 && recv(client.get(), &byte, 1, MSG_DONTWAIT) <= 0;
  }
  template <typename Condition>
  static bool Comes(Condition condition) {
    const SteadyTime end = SteadyTime::Now() + kPatience;
    while (!condition()) {
      if (SteadyTime::Now() > end) return false;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return true;
  }
  // So many clients, each accepted before the next one comes.
  std::vector<FileDescriptor> ConnectInTurn(int count) {
    std::vector<FileDescriptor> clients;
    for (int i = 0; i < count; ++i) {
      const int before = events_.accepted;
      clients.push_back(Connect());
      EXPECT_TRUE(Comes([&] { return events_.accepted > before; }));
    }
    return clients;
  }
  // Until the connections count as idle ones.
  static void BeSilent() { absl::SleepFor(absl::Milliseconds(1200)); }

  KeptConnections connections_;
  CallsByPeer calls_;
  CountedEvents events_;
  std::unique_ptr<Listener> listener_;
  int port_ = 0;
  std::string path_;
};

TEST_F(ListenerTest, HandsConnectionsOnAndKnowsWhenTheyEnd) {
  Start({.unacknowledged_timeout = absl::Seconds(20)});
  FileDescriptor first = Connect();
  const FileDescriptor second = Connect();
  ASSERT_TRUE(Comes([&] { return connections_.uids().size() == 2; }));
  EXPECT_EQ(events_.open, 2);
  EXPECT_NE(connections_.Option(0, TCP_NODELAY), 0);
  EXPECT_EQ(connections_.Option(0, TCP_USER_TIMEOUT), 20000);
  EXPECT_TRUE(listener_->AcceptedAt(AddressOf(first)).has_value());
  EXPECT_FALSE(listener_->AcceptedAt(*ParsePeerAddress("ipv4:127.0.0.1:1")).has_value());
  // Its handler closes it, whatever the client does.
  connections_.CloseAll();
  EXPECT_TRUE(Comes([&] { return events_.open == 0; }));
  EXPECT_EQ(events_.Count(Closed::kEnded), 2);
  EXPECT_FALSE(listener_->AcceptedAt(AddressOf(first)).has_value());
  // No other descriptor keeps the connection open.
  EXPECT_TRUE(Comes([&] { return HasEnded(first) && HasEnded(second); }));
}

TEST_F(ListenerTest, TellsWhoIsOnASocketOfTheMachine) {
  Start({});
  const FileDescriptor client = ConnectLocally();
  ASSERT_TRUE(Comes([&] { return connections_.uids().size() == 1; }));
  EXPECT_EQ(connections_.uids().front(), getuid());
}

TEST_F(ListenerTest, LetsTheLongestSilentGoForANewOne) {
  Start({.max_connections = 3, .max_connections_per_address = 3});
  const std::vector<FileDescriptor> clients = ConnectInTurn(3);
  BeSilent();
  ASSERT_EQ(send(clients[0].get(), "x", 1, 0), 1);
  ConnectInTurn(1);
  EXPECT_TRUE(Comes([&] { return HasEnded(clients[1]); }));
  EXPECT_FALSE(HasEnded(clients[0]));
  EXPECT_FALSE(HasEnded(clients[2]));
  EXPECT_EQ(events_.Count(Closed::kMadeRoom), 1);
  EXPECT_LE(events_.open, 3);
}

TEST_F(ListenerTest, LetsNoneGoThatIsBusyAndTurnsTheNewOneAway) {
  Start({.max_connections = 2, .max_connections_per_address = 2});
  const std::vector<FileDescriptor> clients = ConnectInTurn(2);
  connections_.SetCalls(AddressOf(clients[0]), 1);
  connections_.SetCalls(AddressOf(clients[1]), 1);
  BeSilent();
  const FileDescriptor refused = Connect();
  EXPECT_TRUE(Comes([&] { return HasEnded(refused); }));
  EXPECT_FALSE(HasEnded(clients[0]) || HasEnded(clients[1]));
  EXPECT_EQ(events_.Count(Refused::kLimit) + events_.Count(Refused::kAddressLimit), 1);
  // One that has just come is not given up either.
  connections_.SetCalls(AddressOf(clients[0]), 0);
  ASSERT_EQ(send(clients[0].get(), "x", 1, 0), 1);
  const FileDescriptor second = Connect();
  EXPECT_TRUE(Comes([&] { return HasEnded(second); }));
  EXPECT_FALSE(HasEnded(clients[0]));
}

TEST_F(ListenerTest, BoundsEachAddressButThoseThatAreExempt) {
  Start({.max_connections = 8, .max_connections_per_address = 2});
  std::vector<FileDescriptor> clients = ConnectInTurn(2);
  for (const FileDescriptor& client : clients) connections_.SetCalls(AddressOf(client), 1);
  const FileDescriptor refused = Connect();
  EXPECT_TRUE(Comes([&] { return HasEnded(refused); }));
  EXPECT_EQ(events_.Count(Refused::kAddressLimit), 1);
  const FileDescriptor local = ConnectLocally();
  EXPECT_TRUE(Comes([&] { return events_.open == 3; }));

  listener_.reset();
  clients.clear();
  unlink(path_.c_str());
  Start({.max_connections = 8, .max_connections_per_address = 2, .is_exempt = [](std::string_view address) {
           return address == "127.0.0.1";
         }});
  clients = ConnectInTurn(5);
  EXPECT_EQ(events_.open, 5);
}

TEST_F(ListenerTest, SurvivesTheLackOfDescriptors) {
  Start({.max_connections = 1000, .max_connections_per_address = 1000});
  ConnectInTurn(1);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  std::vector<FileDescriptor> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  }
  // From here on the process has none left.
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(clients.back().get()) + 1;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  std::vector<FileDescriptor> fill;
  while (true) {
    fill.emplace_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!fill.back().is_open()) break;
  }
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port_));
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  for (const FileDescriptor& client : clients) {
    EXPECT_EQ(connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  EXPECT_TRUE(Comes([&] { return events_.Count(Refused::kDescriptors) >= 8; }));
  for (const FileDescriptor& client : clients) EXPECT_TRUE(Comes([&] { return HasEnded(client); }));
  fill.clear();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  const int accepted = events_.accepted;
  const FileDescriptor next = Connect();
  EXPECT_TRUE(Comes([&] { return events_.accepted > accepted; }));
  EXPECT_FALSE(HasEnded(next));
}

TEST_F(ListenerTest, OutlivesTheLackOfMemory) {
  Start({});
  connections_.set_fails(true);
  const FileDescriptor first = Connect();
  EXPECT_TRUE(Comes([&] { return HasEnded(first); }));
  EXPECT_EQ(events_.open, 0);
  connections_.set_fails(false);
  const FileDescriptor second = Connect();
  EXPECT_TRUE(Comes([&] { return connections_.uids().size() == 1; }));
  EXPECT_FALSE(HasEnded(second));
}

TEST_F(ListenerTest, EndsConnectionsWhoseRequestsDoNotArrive) {
  Start({.request_timeout = absl::Milliseconds(1500)});
  const std::vector<FileDescriptor> clients = ConnectInTurn(4);
  // One has begun a call; another's call is with its service; a third one uploads; the last one does nothing.
  connections_.SetCalls(AddressOf(clients[0]), 1);
  connections_.SetCalls(AddressOf(clients[1]), 1);
  connections_.SetCalls(AddressOf(clients[2]), 1);
  const CallsByPeer::Counted taken(&calls_, absl::StrCat("ipv4:127.0.0.1:", AddressOf(clients[1]).port));
  const std::string bytes(20000, 'x');
  EXPECT_TRUE(Comes([&] {
    EXPECT_GT(send(clients[2].get(), bytes.data(), bytes.size(), MSG_DONTWAIT), 0);
    absl::SleepFor(absl::Milliseconds(100));
    return HasEnded(clients[0]);
  }));
  EXPECT_FALSE(HasEnded(clients[1]) || HasEnded(clients[2]) || HasEnded(clients[3]));
  EXPECT_EQ(events_.Count(Closed::kRequestTimeout), 1);
  // A call that begins later counts from then on.
  connections_.SetCalls(AddressOf(clients[3]), 1);
  ASSERT_EQ(send(clients[3].get(), "x", 1, 0), 1);
  EXPECT_TRUE(Comes([&] { return HasEnded(clients[3]); }));
  EXPECT_FALSE(HasEnded(clients[1]));
}

TEST_F(ListenerTest, EndsConnectionsThatAreTooOld) {
  Start({.request_timeout = absl::Milliseconds(400), .most_age = absl::Milliseconds(700)});
  const std::vector<FileDescriptor> clients = ConnectInTurn(1);
  const CallsByPeer::Counted taken(&calls_, absl::StrCat("ipv4:127.0.0.1:", AddressOf(clients[0]).port));
  EXPECT_TRUE(Comes([&] { return HasEnded(clients[0]); }));
  EXPECT_EQ(events_.Count(Closed::kAge), 1);
}

TEST_F(ListenerTest, StopsListeningAndKeepsWhoHasConnected) {
  // Most still wait in the socket then, more than are accepted at a time.
  connections_.set_serve_ms(2);
  Start({});
  std::vector<FileDescriptor> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(Connect());
  listener_->StopListening();
  EXPECT_EQ(events_.accepted, 100);
  EXPECT_FALSE(Connect().is_open());
  EXPECT_FALSE(ConnectLocally().is_open());
  EXPECT_NE(access(path_.c_str(), F_OK), 0);
  for (const FileDescriptor& client : clients) EXPECT_FALSE(HasEnded(client));
  listener_->StopListening();
  EXPECT_TRUE(ListenOnTcp("127.0.0.1", port_).ok());
}

TEST_F(ListenerTest, EndsWhoTakesTheMemoryAndLetsNobodyInFromThereForAWhile) {
  const auto resident = std::make_shared<std::atomic<int64_t>>(0);
  ListenerOptions options;
  options.memory = {.resident = [resident] { return resident->load(); },
                    .give_back = nullptr,
                    .limits = {.limit_bytes = 1 << 30, .max_message_bytes = 1 << 20, .max_calls = 1024}};
  Start(std::move(options));
  const FileDescriptor flood = Connect();
  const FileDescriptor other = Connect();
  ASSERT_TRUE(Comes([&] { return events_.open == 2; }));
  connections_.SetCalls(AddressOf(flood), 2049);
  *resident = 512 << 20;
  EXPECT_TRUE(Comes([&] { return HasEnded(flood); }));
  EXPECT_EQ(events_.Count(Closed::kMemory), 1);
  EXPECT_FALSE(HasEnded(other));
  const FileDescriptor again = Connect();
  EXPECT_TRUE(Comes([&] { return HasEnded(again); }));
  EXPECT_EQ(events_.Count(Refused::kMemory), 1);
}

TEST_F(ListenerTest, LetsNobodyInWhileMemoryIsHigh) {
  const auto resident = std::make_shared<std::atomic<int64_t>>(900 << 20);
  ListenerOptions options;
  options.memory = {.resident = [resident] { return resident->load(); },
                    .give_back = nullptr,
                    .limits = {.limit_bytes = 1 << 30, .max_message_bytes = 1 << 20, .max_calls = 1024}};
  Start(std::move(options));
  const FileDescriptor early = Connect();
  EXPECT_TRUE(Comes([&] { return HasEnded(early); }));
  EXPECT_EQ(events_.Count(Refused::kMemory), 1);
  *resident = 0;
  EXPECT_TRUE(Comes([&] {
    const FileDescriptor later = Connect();
    return events_.accepted == 1;
  }));
}

}  // namespace
}  // namespace hearwire
