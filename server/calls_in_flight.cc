#include "server/calls_in_flight.h"

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "server/other_calls.h"

namespace hearwire {
namespace {

constexpr intptr_t kMaxSockets = 1 << 20;

// Sockets that are kept in mind. Ended ones stay among them until then.
constexpr size_t kMostKnownSockets = 1 << 15;

// A page of channelz, which is JSON; an empty object when there is none.
template <typename GetPage>
nlohmann::json Ask(GetPage get_page) {
  const std::unique_ptr<char, void (*)(void*)> text(get_page(), gpr_free);
  if (text == nullptr) return nlohmann::json::object();
  nlohmann::json page = nlohmann::json::parse(text.get(), nullptr, /*allow_exceptions=*/false);
  return page.is_object() ? page : nlohmann::json::object();
}

// Numbers are strings, as protobuf's JSON has them, and left out when they are 0.
int64_t Number(const nlohmann::json& data, const char* name) {
  int64_t value = 0;
  return absl::SimpleAtoi(data.value(name, "0"), &value) ? value : 0;
}

struct Socket {
  int64_t id;
  std::string name;  // "chttp2 ipv4:10.0.0.7:41234".
};

// Of all servers of the process, from that number on.
std::vector<Socket> ServerSockets(int64_t first) {
  std::vector<Socket> sockets;
  const nlohmann::json servers = Ask([] { return grpc_channelz_get_servers(0); });
  if (!servers.contains("server")) return sockets;
  for (const nlohmann::json& server : servers["server"]) {
    if (!server.contains("ref")) continue;
    const int64_t id = Number(server["ref"], "serverId");
    const nlohmann::json page = Ask([&] { return grpc_channelz_get_server_sockets(id, first, kMaxSockets); });
    if (!page.contains("socketRef")) continue;
    for (const nlohmann::json& socket : page["socketRef"]) {
      sockets.push_back({Number(socket, "socketId"), socket.value("name", "")});
    }
  }
  return sockets;
}

// None: it has closed.
std::optional<ConnectionHandler::Calls> CallsOf(int64_t socket) {
  const nlohmann::json found = Ask([=] { return grpc_channelz_get_socket(socket); });
  if (!found.contains("socket")) return std::nullopt;
  const nlohmann::json& data = found["socket"]["data"];
  const int64_t so_far = Number(data, "streamsStarted");
  const int64_t ended = Number(data, "streamsSucceeded") + Number(data, "streamsFailed");
  return ConnectionHandler::Calls{.open = so_far - ended, .so_far = so_far};
}

}  // namespace

int64_t CountCallsInFlight() {
  int64_t in_flight = 0;
  for (const Socket& socket : ServerSockets(0))
    in_flight += CallsOf(socket.id).value_or(ConnectionHandler::Calls()).open;
  // A call that ends meanwhile may be missing above and still counted here.
  return std::max<int64_t>(in_flight - CountOtherCalls(), 0);
}

ConnectionHandler::Calls CallsOfConnections::Count(const PeerAddress& peer) {
  MutexLock lock(&mu_);
  LearnNewSockets();
  const auto found = sockets_.find(peer);
  if (found == sockets_.end()) return {};
  if (const auto calls = CallsOf(found->second)) return *calls;
  sockets_.erase(found);
  return {};
}

void CallsOfConnections::LearnNewSockets() {
  if (sockets_.size() > kMostKnownSockets) {
    sockets_.clear();
    next_socket_ = 0;
  }
  for (const Socket& socket : ServerSockets(next_socket_)) {
    next_socket_ = std::max(next_socket_, socket.id + 1);
    const std::optional<PeerAddress> peer = ParsePeerAddress(socket.name.substr(socket.name.rfind(' ') + 1));
    if (peer) sockets_[*peer] = socket.id;
  }
}

}  // namespace hearwire
