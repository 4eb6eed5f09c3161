#include "server/listening/open_connections.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/concurrency/border.h"
#include "server/listening/tcp_activity.h"

namespace hearwire {
namespace {

using Closed = ConnectionEvents::Closed;
using Refused = ConnectionEvents::Refused;

// Connections looked at to make room for one. What was seen is remembered, so the next newcomer sees others.
constexpr int kLooks = 16;
// A connection counts as idle that has been silent for so long. By then gRPC has also read what the kernel counts.
constexpr absl::Duration kLeastSilence = absl::Seconds(1);
// How long newcomers are refused for memory, from when it passed the mark or a connection ended for it. What holds it
// then is nothing that closing would rid of, and a server that refused for ever would be as good as dead.
constexpr absl::Duration kMostRefusing = absl::Seconds(10);
// Origins that are kept in mind; they are forgotten when there are more.
constexpr size_t kMostBanned = 4096;
// How often memory is looked at that has stayed high although nobody is left who could be closed for it.
constexpr absl::Duration kLookInVain = absl::Seconds(1);
// Between times when all connections are counted anew: memory may come and go.
constexpr absl::Duration kCountPeriod = absl::Seconds(1);
// Between looks for memory that was freed: it takes the allocator's locks.
constexpr absl::Duration kGiveBackPeriod = absl::Milliseconds(200);

// What the kernel still has for whoever reads there. It would be read after the end of the connection.
void DiscardReceived(int socket) {
  constexpr size_t kAtATime = size_t{1} << 30;
  while (recv(socket, nullptr, kAtATime, MSG_DONTWAIT | MSG_TRUNC) > 0) {
  }
}

// What HTTP/2 takes beside messages: a client's headers for each call, what messages are wrapped in, and what keeps a
// connection and its windows open.
constexpr int64_t kBytesPerHeaders = 4 << 10;
constexpr int64_t kWrapping = 64;  // A byte for so many.
constexpr double kBytesPerSecond = 16 << 10;

// Calls that have ended, of which no service has known.
int64_t LostCalls(const ConnectionHandler::Calls& calls, const CallsByPeer::Known& known) {
  return (calls.so_far - calls.open) - (known.calls_so_far - known.calls);
}

}  // namespace

OpenConnections::OpenConnections(Options options, ConnectionHandler* handler, CallsByPeer* calls,
                                 ConnectionEvents* events)
    : options_(std::move(options)),
      handler_(handler),
      calls_(calls),
      events_(events),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      guard_(options_.memory.limits),
      table_(options_.limits) {}

OpenConnections::~OpenConnections() {
  MutexLock lock(&mu_);
  for (const auto& [peer, id] : by_peer_) calls_->Forget(peer);
}

std::optional<OpenConnections::Id> OpenConnections::Add(int socket, const std::optional<PeerAddress>& peer,
                                                        const ConnectionTable::Origin& origin) {
  const SteadyTime now = SteadyTime::Now();
  MutexLock lock(&mu_);
  if ((is_high_ && now < refuses_until_) || IsBanned(origin, now)) {
    events_->OnRefused(Refused::kMemory);
    return std::nullopt;
  }
  // Room may have to be made twice: in its own origin, and among all.
  while (const auto limit = table_.Reached(origin)) {
    if (MakeRoom(*limit, origin)) continue;
    events_->OnRefused(*limit == ConnectionTable::Limit::kAll ? Refused::kLimit : Refused::kAddressLimit);
    return std::nullopt;
  }
  FileDescriptor own(fcntl(socket, F_DUPFD_CLOEXEC, 0));
  if (!own.is_open()) {
    MakeRoom(ConnectionTable::Limit::kAll, origin);
    events_->OnRefused(Refused::kDescriptors);
    return std::nullopt;
  }
  const Id id = next_id_++;
  epoll_event its_end = {};  // Which is told without being asked for; nothing else is wanted.
  its_end.data.u64 = id;
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, own.get(), &its_end);
  // Under the mutex, which the analysis does not see in a lambda.
  const absl::Status kept = Contain([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    connections_.emplace(id, Connection{.socket = std::move(own),
                                        .peer = peer,
                                        .origin = origin.is_exempt ? "" : origin.name,
                                        .accepted = now,
                                        .arriving = {},
                                        .calm_since = now,
                                        .calm_known = {}});
    table_.Add(id, origin, now);
    if (!peer) return;
    by_peer_[*peer] = id;
    calls_->Keep(*peer);
  });
  if (!kept.ok()) {
    // Nothing remembers half of it.
    table_.Remove(id);
    connections_.erase(id);
    events_->OnRefused(Refused::kMemory);
    return std::nullopt;
  }
  events_->OnAccepted();
  events_->OnOpen(table_.size());
  return id;
}

void OpenConnections::ForgetEnded() {
  std::array<epoll_event, 256> ended;
  MutexLock lock(&mu_);
  const int count = epoll_wait(epoll_.get(), ended.data(), static_cast<int>(ended.size()), 0);
  for (int i = 0; i < count; ++i) Forget(ended[i].data.u64, Closed::kEnded);
}

void OpenConnections::GiveUp(Id id) {
  MutexLock lock(&mu_);
  if (connections_.contains(id)) End(id, Closed::kEnded);
}

void OpenConnections::GiveUpOne() {
  MutexLock lock(&mu_);
  MakeRoom(ConnectionTable::Limit::kAll, {});
}

std::optional<SteadyTime> OpenConnections::AcceptedAt(const PeerAddress& peer) const {
  MutexLock lock(&mu_);
  const auto found = by_peer_.find(peer);
  return found == by_peer_.end() ? std::nullopt : std::optional(connections_.at(found->second).accepted);
}

bool OpenConnections::MakeRoom(ConnectionTable::Limit limit, const ConnectionTable::Origin& origin) {
  const SteadyTime now = SteadyTime::Now();
  for (int look = 0; look < kLooks; ++look) {
    const std::optional<Id> id = table_.LongestSilent(limit, origin);
    if (!id) return false;
    // The table knows what was seen last. What is seen now may put another one first.
    if (!IsIdle(*id, connections_.at(*id), now)) {
      if (table_.LongestSilent(limit, origin) == id) return false;  // The others have been silent for even less.
      continue;
    }
    if (table_.LongestSilent(limit, origin) != id) continue;
    End(*id, Closed::kMadeRoom);
    return true;
  }
  return false;
}

bool OpenConnections::IsIdle(Id id, const Connection& connection, SteadyTime now) {
  // Of the machine's own sockets nobody knows what goes on there.
  const std::optional<TcpActivity> activity = ReadTcpActivity(connection.socket.get(), now);
  if (!connection.peer || !activity) {
    table_.SawActivity(id, now);
    return false;
  }
  table_.SawActivity(id, activity->last);
  if (now - activity->last < kLeastSilence) return false;
  if (handler_->CountCalls(*connection.peer).open == 0) return true;
  table_.SawActivity(id, now);
  return false;
}

void OpenConnections::EndOverdue() {
  if (options_.request_timeout == absl::ZeroDuration() && options_.most_age == absl::InfiniteDuration()) return;
  const SteadyTime now = SteadyTime::Now();
  MutexLock lock(&mu_);
  std::vector<std::pair<Id, Closed>> overdue;
  for (auto& [id, connection] : connections_) {
    if (const std::optional<Closed> reason = ReasonToEnd(id, &connection, now)) overdue.emplace_back(id, *reason);
  }
  for (const auto& [id, reason] : overdue) End(id, reason);
}

std::optional<Closed> OpenConnections::ReasonToEnd(Id id, Connection* connection, SteadyTime now) {
  if (!connection->peer) return std::nullopt;
  if (now - connection->accepted >= options_.most_age) return Closed::kAge;
  const std::optional<TcpActivity> activity = ReadTcpActivity(connection->socket.get(), now);
  if (!activity || options_.request_timeout == absl::ZeroDuration()) return std::nullopt;
  table_.SawActivity(id, activity->last);
  if (activity->received_bytes == connection->quiet_at_bytes) return std::nullopt;
  const int64_t taken = calls_->CountOf(*connection->peer);
  // Those that a service knows of keep it open, whatever else has begun.
  const int64_t begun = taken > 0 ? taken : handler_->CountCalls(*connection->peer).open;
  const bool is_quiet = begun == 0 && now - activity->last >= kLeastSilence;
  connection->quiet_at_bytes = is_quiet ? activity->received_bytes : -1;
  const ArrivingRequest::Seen seen = {.received_bytes = activity->received_bytes, .begun = begun, .taken = taken};
  if (!connection->arriving.IsStuck(seen, options_.request_timeout, now)) return std::nullopt;
  return Closed::kRequestTimeout;
}

absl::Duration OpenConnections::GuardMemory() {
  const GuardedMemory& memory = options_.memory;
  if (!memory.resident) return absl::InfiniteDuration();
  int64_t resident = memory.resident();
  const SteadyTime now = SteadyTime::Now();
  MutexLock lock(&mu_);
  // What ended connections held has been freed by now, and may be kept by the allocator.
  if (resident >= guard_.high() && memory.give_back && now >= give_back_from_) {
    memory.give_back();
    give_back_from_ = now + kGiveBackPeriod;
    resident = memory.resident();
  }
  const bool is_high = resident >= guard_.high();
  const bool is_watched = resident >= guard_.watched() || (is_watched_ && resident >= guard_.watched() - guard_.step());
  // Where it is high already, what came before is what made it so.
  if (is_watched && !is_watched_ && !is_high && now >= count_from_) {
    for (auto& [id, connection] : connections_) CountFromNow(&connection);
    count_from_ = now + kCountPeriod;
  }
  if (is_high && !is_high_) refuses_until_ = now + kMostRefusing;
  is_watched_ = is_watched;
  is_high_ = is_high;
  seen_at_ = std::min(seen_at_, resident);
  if (is_high || (is_watched && resident >= seen_at_ + guard_.step())) {
    seen_at_ = resident;
    std::vector<MemoryGuard::Seen> seen;
    for (const auto& [id, connection] : connections_) {
      if (connection.peer) seen.push_back(See(id, connection));
    }
    for (const Id id : guard_.Worst(resident, seen)) {
      Ban(connections_.at(id).origin, now);
      End(id, Closed::kMemory);
      refuses_until_ = now + kMostRefusing;
      seen_at_ = 0;  // Others may come in its place.
    }
  }
  // Where nobody is to blame for it, it may stay so.
  if (is_high && now >= refuses_until_) return kLookInVain;
  return guard_.NextLook(resident, std::exchange(resident_, resident));
}

bool OpenConnections::IsBanned(const ConnectionTable::Origin& origin, SteadyTime now) {
  if (origin.is_exempt) return false;
  const auto found = banned_.find(origin.name);
  if (found == banned_.end()) return false;
  if (now < found->second) return true;
  banned_.erase(found);
  return false;
}

void OpenConnections::Ban(const std::string& origin, SteadyTime now) {
  if (origin.empty()) return;
  if (banned_.size() >= kMostBanned) banned_.clear();
  banned_[origin] = now + kMostRefusing;
}

void OpenConnections::CountFromNow(Connection* connection) const {
  if (!connection->peer) return;
  const std::optional<TcpActivity> activity = ReadTcpActivity(connection->socket.get(), SteadyTime::Now());
  // Where nothing has come since, nothing has changed.
  if (!activity || activity->received_bytes == connection->calm_received) return;
  const CallsByPeer::Known known = calls_->Find(*connection->peer);
  connection->calm_since = SteadyTime::Now();
  connection->calm_known = known;
  connection->calm_received = activity->received_bytes;
  connection->calm_bytes = activity->received_bytes - known.message_bytes;
  connection->calm_lost_calls = LostCalls(handler_->CountCalls(*connection->peer), known);
}

MemoryGuard::Seen OpenConnections::See(Id id, const Connection& connection) const {
  MemoryGuard::Seen seen = {.id = id, .origin = connection.origin};
  const std::optional<TcpActivity> activity = ReadTcpActivity(connection.socket.get(), SteadyTime::Now());
  if (!activity) return seen;
  const CallsByPeer::Known known = calls_->Find(*connection.peer);
  seen.known_calls = known.calls;
  const int64_t beside_messages =
      (known.calls_so_far - connection.calm_known.calls_so_far) * kBytesPerHeaders +
      (known.message_bytes - connection.calm_known.message_bytes) / kWrapping +
      static_cast<int64_t>(absl::ToDoubleSeconds(SteadyTime::Now() - connection.calm_since) * kBytesPerSecond);
  seen.bytes =
      std::max<int64_t>(activity->received_bytes - known.message_bytes - connection.calm_bytes - beside_messages, 0);
  const ConnectionHandler::Calls calls = handler_->CountCalls(*connection.peer);
  seen.open_calls = std::max<int64_t>(calls.open - known.calls, 0);
  seen.given_up = std::max<int64_t>(known.calls - calls.open, 0);
  seen.unknown_calls = seen.open_calls + std::max<int64_t>(LostCalls(calls, known) - connection.calm_lost_calls, 0);
  return seen;
}

void OpenConnections::End(Id id, Closed reason) {
  // Its handler sees the end of the connection on its own descriptor, and closes that.
  const int socket = connections_.at(id).socket.get();
  shutdown(socket, SHUT_RDWR);
  if (reason == Closed::kMemory) DiscardReceived(socket);
  Forget(id, reason);
}

void OpenConnections::Forget(Id id, Closed reason) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  if (found->second.peer) {
    const auto by_peer = by_peer_.find(*found->second.peer);
    // Another connection may have its port by now.
    if (by_peer != by_peer_.end() && by_peer->second == id) {
      by_peer_.erase(by_peer);
      calls_->Forget(*found->second.peer);
    }
  }
  // Closing a descriptor does not end its watch while the handler has another one of the socket.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.socket.get(), nullptr);
  table_.Remove(id);
  connections_.erase(found);
  events_->OnClosed(reason);
  events_->OnOpen(table_.size());
}

}  // namespace hearwire
