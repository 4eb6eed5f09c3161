#include "server/grpc_server.h"

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/resource_quota.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/other_calls.h"
#include "server/telemetry/exposer.h"
#include "server/telemetry/log.h"
#include "server/tls/server_credentials.h"

namespace hearwire {
namespace {

constexpr int kLookaheadBytes = 4 << 20;
constexpr int kFrameBytes = 1 << 20;  // A request of 10 s in two HTTP/2 frames, where the default makes 80.
constexpr absl::Duration kKeepalive = absl::Minutes(2);          // A silent connection is asked whether it lives …
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(20);  // … and closed after this.
constexpr absl::Duration kMinClientPing = absl::Seconds(10);     // Clients may ask as often, calls or none.

int Milliseconds(absl::Duration duration) { return static_cast<int>(absl::ToInt64Milliseconds(duration)); }

// gRPC's own messages go where the program's do, at debug: what matters to operators comes back as a status as well.
void LogFromGrpc(gpr_log_func_args* args) { Log(LogLevel::kDebug, "gRPC", {{"text", args->message}}); }

// Calls of a connection that are under way. Enough that under overload they reach the queue, which refuses them at
// once, and do not wait where nobody sees them. More large messages than the memory holds are refused by gRPC's quota.
constexpr int kStreamsPerConnection = 1024;

constexpr intptr_t kMaxSockets = 1 << 20;

// The library of reflection adds it to every server of the process when it is loaded. It passes no door of ours.
class WithoutReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    std::erase_if(*plugins, [](const auto& plugin) { return plugin->name() == "proto_server_reflection"; });
  }
};

// The permissions of files made while it lives, a socket's too: there is no moment in which it has wider ones. It
// counts for the whole process, whose other threads make no files then.
class Umask {
 public:
  explicit Umask(int mask) : before_(umask(static_cast<mode_t>(mask))) {}
  ~Umask() { umask(before_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  const mode_t before_;
};

// gRPC removes a socket of that name, whoever listens on it. One that a server has left behind may go; not one in use.
absl::Status CheckSocketIsFree(const std::string& path) {
  const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (client < 0) return absl::OkStatus();
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const bool answers = connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  close(client);
  if (!answers) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("cannot listen on --unix-socket ", path, ": another program listens there"));
}

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

// Of the page's list of references, which for a server stand in "ref".
std::vector<int64_t> Ids(const nlohmann::json& page, const char* list, const char* name) {
  std::vector<int64_t> ids;
  if (!page.contains(list)) return ids;
  for (const nlohmann::json& item : page[list]) ids.push_back(Number(item.contains("ref") ? item["ref"] : item, name));
  return ids;
}

}  // namespace

absl::StatusOr<ListeningServer> StartGrpcServer(const ServerOptions& options, const Capacity& capacity,
                                                const std::vector<grpc::Service*>& services,
                                                std::shared_ptr<TlsStore> tls) {
  gpr_set_log_function(LogFromGrpc);
  // Debian's Abseil looks for cycles among gRPC's locks each time one is taken, as debug builds do.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();

  ListeningServer listening;
  const std::string address = FormatAddress(options.host, options.grpc_port);
  grpc::ServerBuilder builder;
  listening.credentials = tls != nullptr ? TlsServerCredentials(std::move(tls)) : grpc::InsecureServerCredentials();
  builder.AddListeningPort(address, listening.credentials, &listening.port);
  int socket_added = 0;
  if (!options.unix_socket.empty()) {
    if (absl::Status status = CheckSocketIsFree(options.unix_socket); !status.ok()) return status;
    builder.AddListeningPort("unix:" + options.unix_socket, grpc::InsecureServerCredentials(), &socket_added);
  }
  for (grpc::Service* service : services) builder.RegisterService(service);
  const bool reflects =
      options.reflection == Reflection::kOn || (options.reflection == Reflection::kAuto && options.tokens_file.empty());
  if (!reflects) builder.SetOption(std::make_unique<WithoutReflection>());
  WatchOtherCalls(&builder);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.max_message_bytes));
  // gRPC 1.51 inflates a whole message before it looks at its size: 400 kB of zeros took 430 MB.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  grpc::ResourceQuota quota("hearwire");
  quota.Resize(static_cast<size_t>(capacity.message_memory_bytes));
  builder.SetResourceQuota(quota);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 1);  // CountCallsInFlight asks it.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kLookaheadBytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kFrameBytes);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepalive));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, Milliseconds(kMinClientPing));
  {
    const Umask umask(0777 & ~options.unix_socket_mode);
    listening.server = builder.BuildAndStart();
  }
  // gRPC adds one after the other, up to the first that fails.
  if (!options.unix_socket.empty() && listening.port != 0 && socket_added == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot listen on --unix-socket ", options.unix_socket,
                     ": its folder is not there, or this user may not write there, or the name is taken by a file"));
  }
  if (listening.server == nullptr || listening.port == 0) {
    return absl::FailedPreconditionError(absl::StrCat("cannot listen on ", address, " for gRPC: the port is taken, or ",
                                                      options.host, " is no address of this machine"));
  }
  return listening;
}

int64_t CountCallsInFlight() {
  int64_t in_flight = 0;
  for (const int64_t server : Ids(Ask([] { return grpc_channelz_get_servers(0); }), "server", "serverId")) {
    const auto sockets = Ask([=] { return grpc_channelz_get_server_sockets(server, 0, kMaxSockets); });
    for (const int64_t socket : Ids(sockets, "socketRef", "socketId")) {
      const nlohmann::json found = Ask([=] { return grpc_channelz_get_socket(socket); });
      if (!found.contains("socket")) continue;  // It has closed.
      const nlohmann::json& data = found["socket"]["data"];
      in_flight += Number(data, "streamsStarted") - Number(data, "streamsSucceeded") - Number(data, "streamsFailed");
    }
  }
  // A call that ends meanwhile may be missing above and still counted here.
  return std::max<int64_t>(in_flight - CountOtherCalls(), 0);
}

}  // namespace hearwire
