// A client of a Hearwire server: audio in, embeddings and tags out.
//
//   auto client = Client::Create({.server = "127.0.0.1:8001"});
//   auto reply = (*client)->GetSceneEmbeddings({.clips = {EncodedAudio(bytes)}});
//   if (reply.ok()) Use(reply->embeddings.row(0));
//
// Every call has a deadline. Calls that the server could not take (UNAVAILABLE, RESOURCE_EXHAUSTED) are made again a
// few times within it, after as long as the server asks. A failure keeps the server's code and message; error_details.h
// reads the rest. Nothing waits for a server that is not there: such a call fails with UNAVAILABLE, and IsUnreachable
// says so.

#ifndef HEARWIRE_CLIENT_CLIENT_H_
#define HEARWIRE_CLIENT_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "audio.h"    // Beside this file, in the source tree and installed.
#include "export.h"   // Likewise.
#include "replies.h"  // Likewise.
#include "stream.h"   // Likewise.

namespace hearwire::client {

class KnownLimit;

// How the server is recognised, and this client by it. All as PEM.
struct TlsOptions {
  // Who may have signed the server's certificate. Empty: whom the system trusts.
  std::string roots = {};
  // This client's own certificate, with those between it and the root, and its key: both or neither.
  std::string certificate = {};
  std::string key = {};
  // The name that the server's certificate must have. Empty: that of the address.
  std::string server_name = {};
};

struct ClientOptions {
  // HOST:PORT, https://HOST:PORT for TLS, or an address as gRPC writes it: unix:/path/to/socket, dns:///host:port,
  // ipv6:[::1]:8001. Several servers with commas between (a:8001,b:8001), or all addresses of a name
  // (dns:///host:port): calls go in turn to those whose health says that they serve.
  std::string server = "127.0.0.1:8001";
  // Absent: plain text, unless the address begins with https://, which is TLS with these defaults.
  std::optional<TlsOptions> tls = {};
  // Proves who calls: sent with every call, in "authorization: Bearer TOKEN". Without TLS it can be read on the way.
  std::string token = {};
  // Sent with every call: names in lower case, and values.
  std::vector<std::pair<std::string, std::string>> metadata = {};
  // Of a call that sets none of its own, retries included.
  absl::Duration deadline = absl::Seconds(30);
  // How often a call is made at most, the first time included: 1 (no retries) to 5.
  int max_attempts = 4;
  // Requests larger than this fail before they are sent. So do those over the server's own limit, its
  // --max-message-bytes: it is asked for it before a request of more than 1 MiB.
  int64_t max_message_bytes = int64_t{64} << 20;
  // Larger replies fail with RESOURCE_EXHAUSTED. The server's limit is its --max-reply-bytes.
  int64_t max_reply_bytes = int64_t{256} << 20;
};

struct CallOptions {
  std::optional<absl::Duration> deadline = {};  // Absent: ClientOptions::deadline. Must be positive and finite.
  std::stop_token cancellation = {};            // A stop request ends the call with CANCELLED.
  // Sent with this call: names in lower case, and values, which go before those of ClientOptions. "x-request-id": what
  // the server's log and the reply call it.
  std::vector<std::pair<std::string, std::string>> metadata = {};
};

struct EmbedRequest {
  std::vector<Audio> clips = {};
  std::string config = {};  // Empty: the server's default.
  ElementType element_type = ElementType::kFloat32;
};

struct TagRequest {
  std::vector<Audio> clips = {};
  std::string network = {};  // Empty: the default config's.
  int top_k = 0;             // The most probable ones; 0: all classes.
};

// Thread-safe. Calls under way outlive the client.
class HEARWIRE_CLIENT_EXPORT Client {
 public:
  // Checks the options; INVALID_ARGUMENT says which is wrong. Connects with the first call, not before.
  static absl::StatusOr<std::unique_ptr<Client>> Create(ClientOptions options);

  class Stubs;
  // Over stubs of the caller's, for tests (client/stubs.h). Checks the options likewise.
  static absl::StatusOr<std::unique_ptr<Client>> Create(ClientOptions options, std::unique_ptr<Stubs> stubs);

  ~Client();

  // These wait for the reply. All clips are answered, or none.
  absl::StatusOr<SceneEmbeddings> GetSceneEmbeddings(EmbedRequest request, const CallOptions& options = {});
  absl::StatusOr<TimestampEmbeddings> GetTimestampEmbeddings(EmbedRequest request, const CallOptions& options = {});
  absl::StatusOr<Tags> GetTags(TagRequest request, const CallOptions& options = {});
  absl::StatusOr<std::vector<ConfigInfo>> ListConfigs(bool loaded_only = false, const CallOptions& options = {});
  // What the server takes at most, from the reply of ListConfigs.
  absl::StatusOr<ServerLimits> GetLimits(const CallOptions& options = {});

  // Opens a stream of audio without end (stream.h). INVALID_ARGUMENT: an option is wrong. Whether the server takes it
  // is what the stream's first event says; where heads are named, this asks the server about them, and may fail as any
  // call does.
  absl::StatusOr<std::unique_ptr<Stream>> OpenStream(StreamOptions options);

  // The server's own word on its health, never asked for twice. service: empty for the whole server. NOT_FOUND: the
  // server has no such service.
  absl::StatusOr<ServingStatus> CheckHealth(const std::string& service = "", const CallOptions& options = {});

  // For the server's operator: has it read checkpoints, heads, certificates and tokens again, and waits until they are
  // served. Never asked for twice. FAILED_PRECONDITION: a file will not do, which the message names; what was served
  // is served on. PERMISSION_DENIED says who may. INVALID_ARGUMENT: this client is one of several servers, and a reload
  // is one's.
  absl::StatusOr<ReloadChanges> Reload(const CallOptions& options = {});

  // These return at once and call `done` exactly once: from a thread of gRPC's, which `done` must not block, or before
  // they return when the request cannot be sent.
  template <typename Reply>
  using Done = std::function<void(absl::StatusOr<Reply>)>;
  void GetSceneEmbeddingsAsync(EmbedRequest request, const CallOptions& options, Done<SceneEmbeddings> done);
  void GetTimestampEmbeddingsAsync(EmbedRequest request, const CallOptions& options, Done<TimestampEmbeddings> done);
  void GetTagsAsync(TagRequest request, const CallOptions& options, Done<Tags> done);

 private:
  Client(ClientOptions options, std::unique_ptr<Stubs> stubs);

  class CallsInFlight;

  const ClientOptions options_;
  const std::shared_ptr<Stubs> stubs_;  // A stream that outlives the client may need them.
  const std::shared_ptr<KnownLimit> limit_;
  const std::shared_ptr<CallsInFlight> in_flight_;
};

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_CLIENT_H_
