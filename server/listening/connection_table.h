// Which connections may come in, and which one makes room for another. Policy without sockets, threads or clocks.
//
// A connection counts against the limit of all, and against that of its origin unless it is exempt. Where a limit is
// reached, the connection that has been silent for longest, of those that the limit counts, is the one to go; whether
// it may go is for its owner to say, who sees the socket.

#ifndef HEARWIRE_SERVER_LISTENING_CONNECTION_TABLE_H_
#define HEARWIRE_SERVER_LISTENING_CONNECTION_TABLE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "server/concurrency/steady_time.h"

namespace hearwire {

// Not thread-safe.
class ConnectionTable {
 public:
  using Id = uint64_t;

  struct Limits {
    int64_t max_connections;
    int64_t max_per_origin;
  };
  enum class Limit { kAll, kOrigin };

  // Whose it is. Exempt ones count against the limit of all alone.
  struct Origin {
    std::string name;  // "10.0.0.7", "2001:db8::/64", "unix:1000".
    bool is_exempt = false;
  };

  explicit ConnectionTable(Limits limits) : limits_(limits) {}

  // The limit that keeps another one from there out. None: it may come in.
  std::optional<Limit> Reached(const Origin& origin) const;

  // Of those that a limit counts, the one that is known to have been silent for longest. None: it counts none.
  std::optional<Id> LongestSilent(Limit limit, const Origin& origin) const;

  // It is taken in; its time of silence begins. When memory runs out here, Remove tidies up; nothing else needs any.
  void Add(Id id, const Origin& origin, SteadyTime now);
  // Something has been sent or received on it then. Earlier times than the one known change nothing.
  void SawActivity(Id id, SteadyTime when);
  void Remove(Id id);

  int64_t size() const { return static_cast<int64_t>(connections_.size()); }
  int64_t CountOf(const Origin& origin) const;

 private:
  using BySilence = std::set<std::pair<SteadyTime, Id>>;
  struct Connection {
    SteadyTime last_activity;
    Origin origin;
  };

  static void Move(const std::pair<SteadyTime, Id>& from, SteadyTime to, BySilence* by_silence);

  const Limits limits_;
  std::map<Id, Connection> connections_;
  BySilence all_;
  std::map<std::string, BySilence> origins_;  // Those that are not exempt. None is empty.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_LISTENING_CONNECTION_TABLE_H_
