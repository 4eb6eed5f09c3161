#include "server/listening/connection_table.h"

namespace hearwire {

std::optional<ConnectionTable::Limit> ConnectionTable::Reached(const Origin& origin) const {
  // The narrower one first: who has too many makes room among its own, and nobody else's has to go.
  if (!origin.is_exempt && CountOf(origin) >= limits_.max_per_origin) return Limit::kOrigin;
  if (size() >= limits_.max_connections) return Limit::kAll;
  return std::nullopt;
}

std::optional<ConnectionTable::Id> ConnectionTable::LongestSilent(Limit limit, const Origin& origin) const {
  if (limit == Limit::kAll) return all_.empty() ? std::nullopt : std::optional(all_.begin()->second);
  const auto found = origins_.find(origin.name);
  return found == origins_.end() ? std::nullopt : std::optional(found->second.begin()->second);
}

void ConnectionTable::Add(Id id, const Origin& origin, SteadyTime now) {
  Remove(id);
  connections_.emplace(id, Connection{now, origin});
  all_.emplace(now, id);
  if (!origin.is_exempt) origins_[origin.name].emplace(now, id);
}

void ConnectionTable::Move(const std::pair<SteadyTime, Id>& from, SteadyTime to, BySilence* by_silence) {
  BySilence::node_type node = by_silence->extract(from);
  node.value().first = to;
  by_silence->insert(std::move(node));
}

void ConnectionTable::SawActivity(Id id, SteadyTime when) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  if (when <= connection.last_activity) return;
  Move({connection.last_activity, id}, when, &all_);
  if (!connection.origin.is_exempt) {
    Move({connection.last_activity, id}, when, &origins_.find(connection.origin.name)->second);
  }
  connection.last_activity = when;
}

void ConnectionTable::Remove(Id id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const Connection& connection = found->second;
  all_.erase({connection.last_activity, id});
  if (!connection.origin.is_exempt) {
    const auto of_origin = origins_.find(connection.origin.name);
    if (of_origin != origins_.end()) {
      of_origin->second.erase({connection.last_activity, id});
      if (of_origin->second.empty()) origins_.erase(of_origin);
    }
  }
  connections_.erase(found);
}

int64_t ConnectionTable::CountOf(const Origin& origin) const {
  const auto found = origins_.find(origin.name);
  return found == origins_.end() ? 0 : static_cast<int64_t>(found->second.size());
}

}  // namespace hearwire
