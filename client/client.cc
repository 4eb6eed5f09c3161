#include "client/client.h"

#include <grpc/support/time.h>

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/address.h"
#include "client/call_metadata.h"
#include "client/call_status.h"
#include "client/channel.h"
#include "client/known_limit.h"
#include "client/messages.h"
#include "client/stream_options.h"
#include "client/stream_session.h"
#include "client/stubs.h"

namespace hearwire::client {
namespace {

using v1::EmbeddingService;

// One method of the service: how it is called, in both ways, and how its reply is read.
template <typename RequestMessage, typename ReplyMessage, typename ReplyStruct>
struct Method {
  using Request = RequestMessage;
  using Message = ReplyMessage;
  using Reply = ReplyStruct;
  grpc::Status (EmbeddingService::StubInterface::*call)(grpc::ClientContext*, const Request&, Message*);
  void (EmbeddingService::StubInterface::async_interface::*start)(grpc::ClientContext*, const Request*, Message*,
                                                                  std::function<void(grpc::Status)>);
  absl::StatusOr<Reply> (*decode)(const Message&, int clips);
};
using Stub = EmbeddingService::StubInterface;
using AsyncStub = EmbeddingService::StubInterface::async_interface;
constexpr Method<v1::GetSceneEmbeddingsRequest, v1::GetSceneEmbeddingsResponse, SceneEmbeddings> kScenes{
    &Stub::GetSceneEmbeddings, &AsyncStub::GetSceneEmbeddings, &DecodeSceneEmbeddings};
constexpr Method<v1::GetTimestampEmbeddingsRequest, v1::GetTimestampEmbeddingsResponse, TimestampEmbeddings>
    kTimestamps{&Stub::GetTimestampEmbeddings, &AsyncStub::GetTimestampEmbeddings, &DecodeTimestampEmbeddings};
constexpr Method<v1::GetTagsRequest, v1::GetTagsResponse, Tags> kTags{&Stub::GetTags, &AsyncStub::GetTags, &DecodeTags};

absl::Status CheckDeadline(absl::Duration deadline) {
  if (deadline > absl::ZeroDuration() && deadline < absl::InfiniteDuration()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("a deadline of ", absl::FormatDuration(deadline), ": it must be positive and finite"));
}

absl::Status CheckOptions(const ClientOptions& options) {
  // The retry buffer holds a message and a little more; its size is an int to gRPC.
  constexpr int64_t kMostMessageBytes = std::numeric_limits<int>::max() - (int64_t{1} << 20);
  if (absl::Status wrong = CheckConnection(options); !wrong.ok()) return wrong;
  if (options.max_attempts < 1 || options.max_attempts > 5) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_attempts is ", options.max_attempts, ": 1 to 5 would be right"));
  }
  for (const int64_t bytes : {options.max_message_bytes, options.max_reply_bytes}) {
    if (bytes < 1 || bytes > kMostMessageBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("a message limit of ", bytes, " bytes: 1 to ", kMostMessageBytes, " would be right"));
    }
  }
  return CheckDeadline(options.deadline);
}

// What a call needs beside its messages. It starts with the construction and must not move while it runs.
class Call {
 public:
  Call(const ClientOptions& client, const CallOptions& options)
      : server_(client.server),
        deadline_(options.deadline.value_or(client.deadline)),
        on_stop_(options.cancellation, [this] { context_.TryCancel(); }) {
    // Not as the system's time, which may be stepped while the call runs.
    context_.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                       gpr_time_from_nanos(absl::ToInt64Nanoseconds(deadline_), GPR_TIMESPAN)));
    context_.set_wait_for_ready(false);
    for (const auto& [name, value] : options.metadata) context_.AddMetadata(name, value);
  }

  grpc::ClientContext* context() { return &context_; }
  absl::Status Finish(const grpc::Status& status) const { return CallStatus(status, context_, server_, deadline_); }
  std::string RequestId() const { return CallRequestId(context_); }

 private:
  const std::string server_;
  const absl::Duration deadline_;
  grpc::ClientContext context_;
  std::stop_callback<std::function<void()>> on_stop_;  // Last: it uses the context.
};

// A call with its messages, which live until it is finished.
template <typename M>
struct CallWithMessages {
  CallWithMessages(const ClientOptions& client, const CallOptions& options, typename M::Request message,
                   std::shared_ptr<void> in_flight_now = nullptr)
      : in_flight(std::move(in_flight_now)), request(std::move(message)), call(client, options) {}

  absl::StatusOr<typename M::Reply> Finish(const M& method, const grpc::Status& status) {
    if (absl::Status failure = call.Finish(status); !failure.ok()) return failure;
    absl::StatusOr<typename M::Reply> result = method.decode(reply, request.clips_size());
    if (result.ok()) result->request_id = call.RequestId();
    return result;
  }

  const std::shared_ptr<void> in_flight;  // First: it ends when the call is gone.
  typename M::Request request;
  typename M::Message reply;
  Call call;
};

template <typename Request>
absl::Status CheckCall(const ClientOptions& client, const CallOptions& options, const Request& request) {
  const uint64_t bytes = request.ByteSizeLong();
  if (bytes > static_cast<uint64_t>(client.max_message_bytes)) {
    return absl::ResourceExhaustedError(absl::StrCat("a request of ", bytes, " bytes is larger than the limit of ",
                                                     client.max_message_bytes, " bytes for a message"));
  }
  if (absl::Status wrong = CheckMetadata(options.metadata); !wrong.ok()) return wrong;
  return options.deadline ? CheckDeadline(*options.deadline) : absl::OkStatus();
}

v1::ListConfigsRequest LimitsRequest() {
  v1::ListConfigsRequest request;
  request.set_loaded_only(true);  // The shortest answer.
  return request;
}

// OK: the request may be sent.
absl::Status AskForLimit(Stub& stub, const ClientOptions& client, const CallOptions& options, uint64_t bytes,
                         KnownLimit& limit) {
  if (!limit.MustAsk(bytes)) return absl::OkStatus();
  Call call(client, options);
  v1::ListConfigsResponse reply;
  const absl::Status asked = call.Finish(stub.ListConfigs(call.context(), LimitsRequest(), &reply));
  if (absl::Status failure = limit.Learn(asked, DecodeLimits(reply)); !failure.ok()) return failure;
  return limit.Check(bytes, client.server);
}

template <typename M>
absl::StatusOr<typename M::Reply> Run(const M& method, Stub& stub, KnownLimit& limit, const ClientOptions& client,
                                      const CallOptions& options, typename M::Request request) {
  if (absl::Status wrong = CheckCall(client, options, request); !wrong.ok()) return wrong;
  CallWithMessages<M> call(client, options, std::move(request));
  // The call's deadline runs since it was made: asking takes of it.
  absl::Status refused = AskForLimit(stub, client, options, call.request.ByteSizeLong(), limit);
  if (!refused.ok()) return refused;
  return call.Finish(method, (stub.*method.call)(call.call.context(), call.request, &call.reply));
}

// What asking for the limit needs until it is answered.
struct LimitCall {
  LimitCall(const ClientOptions& client, const CallOptions& options, std::function<void(absl::Status)> next)
      : then(std::move(next)), call(client, options) {}

  const std::function<void(absl::Status)> then;  // First: what it holds ends when the call is gone.
  const v1::ListConfigsRequest request = LimitsRequest();
  v1::ListConfigsResponse reply;
  Call call;
};

// AskForLimit that does not wait: calls `then`, which must hold the stubs, from a thread of gRPC's where it had to ask.
void AskForLimitAsync(Stub& stub, const ClientOptions& client, const CallOptions& options, uint64_t bytes,
                      std::shared_ptr<KnownLimit> limit, std::function<void(absl::Status)> then) {
  if (!limit->MustAsk(bytes)) return then(absl::OkStatus());
  auto asking = std::make_shared<LimitCall>(client, options, std::move(then));
  stub.async()->ListConfigs(
      asking->call.context(), &asking->request, &asking->reply,
      [asking, bytes, server = client.server, limit = std::move(limit)](const grpc::Status& status) {
        absl::Status refused = limit->Learn(asking->call.Finish(status), DecodeLimits(asking->reply));
        asking->then(refused.ok() ? limit->Check(bytes, server) : std::move(refused));
      });
}

// in_flight holds the stubs.
template <typename M>
void Start(const M& method, Stub& stub, std::shared_ptr<KnownLimit> limit, const ClientOptions& client,
           const CallOptions& options, std::shared_ptr<void> in_flight, typename M::Request request,
           Client::Done<typename M::Reply> done) {
  if (absl::Status wrong = CheckCall(client, options, request); !wrong.ok()) return done(std::move(wrong));
  auto call = std::make_shared<CallWithMessages<M>>(client, options, std::move(request), std::move(in_flight));
  AskForLimitAsync(stub, client, options, call->request.ByteSizeLong(), std::move(limit),
                   [call, &method, &stub, done = std::move(done)](absl::Status refused) {
                     if (!refused.ok()) return done(std::move(refused));
                     (stub.async()->*method.start)(
                         call->call.context(), &call->request, &call->reply,
                         [call, &method, done](const grpc::Status& status) { done(call->Finish(method, status)); });
                   });
}

}  // namespace

// How many asynchronous calls have not been destroyed yet.
class Client::CallsInFlight : public std::enable_shared_from_this<CallsInFlight> {
 public:
  // Counts until it is destroyed.
  std::shared_ptr<void> Count() {
    const std::lock_guard lock(mu_);
    ++count_;
    return {this, [calls = shared_from_this()](void*) { calls->Uncount(); }};
  }
  bool none() {
    const std::lock_guard lock(mu_);
    return count_ == 0;
  }
  void WaitForNone() {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  void Uncount() {
    const std::lock_guard lock(mu_);
    if (--count_ == 0) changed_.notify_all();
  }

  std::mutex mu_;
  std::condition_variable changed_;
  int64_t count_ = 0;
};

absl::StatusOr<std::unique_ptr<Client>> Client::Create(ClientOptions options) {
  if (absl::Status wrong = CheckOptions(options); !wrong.ok()) return wrong;
  const absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = NewChannel(options);
  if (!channel.ok()) return channel.status();
  return Create(std::move(options), std::make_unique<Stubs>(EmbeddingService::NewStub(*channel),
                                                            grpc::health::v1::Health::NewStub(*channel),
                                                            admin::v1::AdminService::NewStub(*channel)));
}

absl::StatusOr<std::unique_ptr<Client>> Client::Create(ClientOptions options, std::unique_ptr<Stubs> stubs) {
  if (absl::Status wrong = CheckOptions(options); !wrong.ok()) return wrong;
  return std::unique_ptr<Client>(new Client(std::move(options), std::move(stubs)));
}

Client::Client(ClientOptions options, std::unique_ptr<Stubs> stubs)
    : options_(std::move(options)),
      stubs_(std::move(stubs)),
      limit_(std::make_shared<KnownLimit>()),
      in_flight_(std::make_shared<CallsInFlight>()) {}

// A call is destroyed by a thread of gRPC's, and holds the channel. It must not be the last to do so: a channel's end
// waits for those threads.
Client::~Client() {
  if (in_flight_->none()) return;
  std::thread([stubs = stubs_, calls = in_flight_] { calls->WaitForNone(); }).detach();
}

absl::StatusOr<SceneEmbeddings> Client::GetSceneEmbeddings(EmbedRequest request, const CallOptions& options) {
  return Run(kScenes, *stubs_->embedding, *limit_, options_, options,
             EncodeEmbedRequest<v1::GetSceneEmbeddingsRequest>(std::move(request)));
}

absl::StatusOr<TimestampEmbeddings> Client::GetTimestampEmbeddings(EmbedRequest request, const CallOptions& options) {
  return Run(kTimestamps, *stubs_->embedding, *limit_, options_, options,
             EncodeEmbedRequest<v1::GetTimestampEmbeddingsRequest>(std::move(request)));
}

absl::StatusOr<Tags> Client::GetTags(TagRequest request, const CallOptions& options) {
  return Run(kTags, *stubs_->embedding, *limit_, options_, options, EncodeTagRequest(std::move(request)));
}

void Client::GetSceneEmbeddingsAsync(EmbedRequest request, const CallOptions& options, Done<SceneEmbeddings> done) {
  Start(kScenes, *stubs_->embedding, limit_, options_, options, in_flight_->Count(),
        EncodeEmbedRequest<v1::GetSceneEmbeddingsRequest>(std::move(request)), std::move(done));
}

void Client::GetTimestampEmbeddingsAsync(EmbedRequest request, const CallOptions& options,
                                         Done<TimestampEmbeddings> done) {
  Start(kTimestamps, *stubs_->embedding, limit_, options_, options, in_flight_->Count(),
        EncodeEmbedRequest<v1::GetTimestampEmbeddingsRequest>(std::move(request)), std::move(done));
}

void Client::GetTagsAsync(TagRequest request, const CallOptions& options, Done<Tags> done) {
  Start(kTags, *stubs_->embedding, limit_, options_, options, in_flight_->Count(), EncodeTagRequest(std::move(request)),
        std::move(done));
}

namespace {

absl::StatusOr<v1::ListConfigsResponse> AskForConfigs(Stub& stub, const ClientOptions& client,
                                                      const CallOptions& options, bool loaded_only) {
  v1::ListConfigsRequest request;
  request.set_loaded_only(loaded_only);
  if (absl::Status wrong = CheckCall(client, options, request); !wrong.ok()) return wrong;
  v1::ListConfigsResponse reply;
  Call call(client, options);
  if (absl::Status status = call.Finish(stub.ListConfigs(call.context(), request, &reply)); !status.ok()) return status;
  return reply;
}

}  // namespace

absl::StatusOr<std::vector<ConfigInfo>> Client::ListConfigs(bool loaded_only, const CallOptions& options) {
  auto reply = AskForConfigs(*stubs_->embedding, options_, options, loaded_only);
  if (!reply.ok()) return reply.status();
  return DecodeConfigs(*reply);
}

absl::StatusOr<ServerLimits> Client::GetLimits(const CallOptions& options) {
  auto reply = AskForConfigs(*stubs_->embedding, options_, options, /*loaded_only=*/true);
  if (!reply.ok()) return reply.status();
  return DecodeLimits(*reply);
}

absl::StatusOr<std::unique_ptr<Stream>> Client::OpenStream(StreamOptions options) {
  if (absl::Status wrong = CheckStreamOptions(options, options_.max_message_bytes); !wrong.ok()) return wrong;
  // Answers of timestamp heads come every 50 ms, those of scene heads with the scene windows: the stream must know.
  StreamHeads heads;
  if (!options.heads.empty()) {
    v1::ListHeadsResponse reply;
    Call call(options_, {.cancellation = options.cancellation, .metadata = options.metadata});
    const absl::Status status = call.Finish(stubs_->embedding->ListHeads(call.context(), {}, &reply));
    if (!status.ok()) return status;
    for (const v1::Head& head : reply.heads()) {
      if (std::find(options.heads.begin(), options.heads.end(), head.name()) == options.heads.end()) continue;
      if (head.kind() == v1::HEAD_KIND_TIMESTAMPS) heads.timestamp_heads.push_back(head.name());
      heads.labels[head.name()] = {head.labels().begin(), head.labels().end()};
    }
  }
  const Audio::Encoding encoding = options.encoding;
  const std::stop_token cancellation = options.cancellation;
  auto session = std::make_unique<StreamSession>(stubs_, options_.server, std::move(options), std::move(heads));
  return std::unique_ptr<Stream>(new Stream(std::move(session), encoding, cancellation));
}

absl::StatusOr<ServingStatus> Client::CheckHealth(const std::string& service, const CallOptions& options) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  if (absl::Status wrong = CheckCall(options_, options, request); !wrong.ok()) return wrong;
  grpc::health::v1::HealthCheckResponse reply;
  Call call(options_, options);
  const absl::Status status = call.Finish(stubs_->health->Check(call.context(), request, &reply));
  if (!status.ok()) return status;
  switch (reply.status()) {
    case grpc::health::v1::HealthCheckResponse::SERVING:
      return ServingStatus::kServing;
    case grpc::health::v1::HealthCheckResponse::NOT_SERVING:
      return ServingStatus::kNotServing;
    default:
      return ServingStatus::kUnknown;
  }
}

absl::StatusOr<ReloadChanges> Client::Reload(const CallOptions& options) {
  // A list of names is looked up once more, as it was for the channel.
  const absl::StatusOr<Address> address = ParseAddress(options_.server);
  if (!address.ok()) return address.status();
  if (address->several) {
    return absl::InvalidArgumentError(absl::StrCat("the address ", options_.server,
                                                   " may mean several servers, and a reload is one server's: name one, "
                                                   "as HOST:PORT or unix:/path/to/socket"));
  }
  const admin::v1::ReloadRequest request;
  if (absl::Status wrong = CheckCall(options_, options, request); !wrong.ok()) return wrong;
  admin::v1::ReloadResponse reply;
  Call call(options_, options);
  const absl::Status status = call.Finish(stubs_->admin->Reload(call.context(), request, &reply));
  if (!status.ok()) return status;
  return DecodeReload(reply);
}

}  // namespace hearwire::client
