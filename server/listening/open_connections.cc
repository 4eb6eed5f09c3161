#include "server/listening/open_connections.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

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

}  // namespace

OpenConnections::OpenConnections(Options options, ConnectionHandler* handler, const CallsByPeer* calls,
                                 ConnectionEvents* events)
    : options_(options),
      handler_(handler),
      calls_(calls),
      events_(events),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      table_(options.limits) {}

std::optional<OpenConnections::Id> OpenConnections::Add(int socket, const std::optional<PeerAddress>& peer,
                                                        const ConnectionTable::Origin& origin) {
  const SteadyTime now = SteadyTime::Now();
  MutexLock lock(&mu_);
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
    connections_.emplace(id, Connection{.socket = std::move(own), .peer = peer, .accepted = now, .arriving = {}});
    table_.Add(id, origin, now);
    if (peer) by_peer_[*peer] = id;
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
  if (handler_->CountCalls(*connection.peer) == 0) return true;
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
  const int64_t begun = taken > 0 ? taken : handler_->CountCalls(*connection->peer);
  const bool is_quiet = begun == 0 && now - activity->last >= kLeastSilence;
  connection->quiet_at_bytes = is_quiet ? activity->received_bytes : -1;
  const ArrivingRequest::Seen seen = {.received_bytes = activity->received_bytes, .begun = begun, .taken = taken};
  if (!connection->arriving.IsStuck(seen, options_.request_timeout, now)) return std::nullopt;
  return Closed::kRequestTimeout;
}

void OpenConnections::End(Id id, Closed reason) {
  // Its handler sees the end of the connection on its own descriptor, and closes that.
  shutdown(connections_.at(id).socket.get(), SHUT_RDWR);
  Forget(id, reason);
}

void OpenConnections::Forget(Id id, Closed reason) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  if (found->second.peer) {
    const auto by_peer = by_peer_.find(*found->second.peer);
    // Another connection may have its port by now.
    if (by_peer != by_peer_.end() && by_peer->second == id) by_peer_.erase(by_peer);
  }
  // Closing a descriptor does not end its watch while the handler has another one of the socket.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.socket.get(), nullptr);
  table_.Remove(id);
  connections_.erase(found);
  events_->OnClosed(reason);
  events_->OnOpen(table_.size());
}

}  // namespace hearwire
