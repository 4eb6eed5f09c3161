// The gRPC service hearwire.v1.EmbeddingService: messages to calls, rows to messages. No handler blocks.
//
// Every reply's trailing metadata carries x-request-id (the caller's own when it is 1 to 128 letters, digits, or any of
// "._:/+=-", else one made here). It is not in the initial metadata: a server that sends initial metadata with an error
// keeps gRPC's clients from retrying.

#ifndef HEARWIRE_SERVER_RPC_EMBEDDING_SERVICE_H_
#define HEARWIRE_SERVER_RPC_EMBEDDING_SERVICE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hearwire/v1/embedding.grpc.pb.h"
#include "models/configs/config.h"
#include "server/access/stream_counter.h"
#include "server/listening/calls_by_peer.h"
#include "server/pipeline/call.h"
#include "server/pipeline/pipeline.h"
#include "server/pipeline/served_models.h"
#include "server/rpc/call_intake.h"
#include "server/rpc/door.h"
#include "server/rpc/stream_reactor.h"
#include "server/telemetry/call_log.h"
#include "server/telemetry/metrics.h"

namespace hearwire {

class ReplyWriter;
class StreamWatch;

struct EmbeddingServiceOptions {
  // What an empty config in a request means; its network is what an empty network means.
  std::string default_config = std::string(kEmbeddedConfigName);
  int max_clips = 256;  // In one call.
  // The deadline of calls that bring none, and the latest one that others get.
  absl::Duration max_deadline = absl::Minutes(5);
  StreamLimits streams = {};
  // Told by ListConfigs; gRPC, the pipeline and its decoders hold calls to them.
  int64_t max_message_bytes = 64 << 20;
  int64_t max_reply_bytes = 64 << 20;
  absl::Duration max_decoded = absl::Minutes(60);
  std::string precision = "float32";  // Backend::precision(), for EmbeddingSpace.
  // Who may call; outlives the service. Null: everybody, each address a caller.
  Door* door = nullptr;
  // Counts calls by their connections; outlives the service. May be null.
  CallsByPeer* calls_by_peer = nullptr;
  // Called when a call has been answered, on the thread that answered it; must not block. May be empty.
  std::function<void(const CallRecord&)> on_call;
};

namespace rpc_internal {

// Messages come and go as bytes: read_message.h says why.
template <typename Base>
using RawEmbeddings = v1::EmbeddingService::WithRawCallbackMethod_GetSceneEmbeddings<
    v1::EmbeddingService::WithRawCallbackMethod_GetTimestampEmbeddings<
        v1::EmbeddingService::WithRawCallbackMethod_StreamEmbeddings<Base>>>;
template <typename Base>
using RawAnswers =
    v1::EmbeddingService::WithRawCallbackMethod_GetTags<v1::EmbeddingService::WithRawCallbackMethod_Classify<Base>>;
template <typename Base>
using RawLists = v1::EmbeddingService::WithRawCallbackMethod_ListConfigs<
    v1::EmbeddingService::WithRawCallbackMethod_ListHeads<Base>>;
using RawMethods = RawEmbeddings<RawAnswers<RawLists<v1::EmbeddingService::Service>>>;

}  // namespace rpc_internal

// Thread-safe. Must outlive the gRPC server that it is registered with.
class EmbeddingServiceImpl final : public rpc_internal::RawMethods {
 public:
  // INVALID_ARGUMENT: an option out of range, or a default config that is not known (the nearest names are given).
  // FAILED_PRECONDITION: its network is not loaded. The pointers must outlive the service.
  static absl::StatusOr<std::unique_ptr<EmbeddingServiceImpl>> Create(const EmbeddingServiceOptions& options,
                                                                      const ServedModels* models, Pipeline* pipeline,
                                                                      Metrics* metrics);

  ~EmbeddingServiceImpl() override;

  // Before the first Open, calls are answered UNAVAILABLE, STARTING (try again in a second). Call it when the self-test
  // has passed.
  void Open() { intake_.Open(); }

  // From now on calls are answered UNAVAILABLE, SHUTTING_DOWN (try again in a second), streams too, but for the first
  // `arriving`: the calls that had begun and whose messages were still on their way. Those taken before go on. Once.
  void BeginDrain(int64_t arriving) { intake_.BeginDrain(arriving); }

  // Open streams, and those that come later, end with UNAVAILABLE, SHUTTING_DOWN, and the facts by which another server
  // goes on. A drain that has to end calls this first. Does not block.
  void EndStreams();
  // Those that are open still have clients that do not read their end: they are cancelled. Does not block.
  void CancelStreams();

  // Calls that were taken and whose answers have not been sent. One that is refused counts for that moment.
  int64_t calls_in_flight() const { return intake_.calls_in_flight(); }

  // Through which the calls of other services go, so that all of this holds for them. As long as the service lives.
  CallIntake* intake() { return &intake_; }

  grpc::ServerUnaryReactor* GetSceneEmbeddings(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                               grpc::ByteBuffer* reply) override;
  grpc::ServerUnaryReactor* GetTimestampEmbeddings(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request, grpc::ByteBuffer* reply) override;
  grpc::ServerUnaryReactor* GetTags(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* reply) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StreamEmbeddings(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* ListConfigs(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* reply) override;
  grpc::ServerUnaryReactor* Classify(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* reply) override;
  grpc::ServerUnaryReactor* ListHeads(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* reply) override;

 private:
  EmbeddingServiceImpl(const EmbeddingServiceOptions& options, const ServedModels* models, Pipeline* pipeline,
                       Metrics* metrics);

  // Counts a stream in, or says why not.
  std::optional<RequestFault> CountStreamIn(const Caller& caller);
  void ReportStreams();

  // Both methods of embeddings: `call` then runs or has failed.
  template <typename Request, typename Response>
  void Embed(CallReactor* call, LaneKind kind, const grpc::ByteBuffer* bytes);

  // Hands a call whose request has been read to the pipeline.
  void Run(CallReactor* call, const AudioClips& clips, CallRequest request, std::unique_ptr<ReplyWriter> writer);

  const EmbeddingServiceOptions options_;
  const ServedModels* const models_;
  Pipeline* const pipeline_;
  Metrics* const metrics_;
  CallIntake intake_;
  StreamCounter open_streams_;
  const StreamParts stream_parts_;
  std::unique_ptr<StreamWatch> watch_;  // Of streams.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_EMBEDDING_SERVICE_H_
