// The gRPC side of one stream: from its start to the last byte.

#ifndef HEARWIRE_SERVER_RPC_STREAM_REACTOR_H_
#define HEARWIRE_SERVER_RPC_STREAM_REACTOR_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "hearwire/v1/embedding.pb.h"
#include "server/concurrency/mutex.h"
#include "server/concurrency/steady_time.h"
#include "server/pipeline/pipeline.h"
#include "server/pipeline/served_models.h"
#include "server/rpc/call_account.h"
#include "server/rpc/read_request.h"
#include "server/rpc/stream_writer.h"

namespace hearwire {

struct StreamLimits {
  int max_streams = 256;             // 0: this server takes none.
  int max_streams_per_caller = 128;  // Unless the caller has a limit of its own.
  int64_t max_piece_bytes = 1 << 20;
  // How long a client may neither send audio nor read what it is to. Pieces without bytes are no audio.
  absl::Duration idle_timeout = absl::Seconds(60);
  // How long a stream may last. Infinite: for ever.
  absl::Duration max_duration = absl::InfiniteDuration();
  // When a stream has to end because its connection will, by the peer's name as gRPC has it. Empty: never.
  std::function<SteadyTime(std::string_view peer)> latest_end = {};
};

// What all streams of a service share. Outlives them.
struct StreamParts {
  Pipeline* pipeline;
  const ServedModels* models;
  const StreamLimits& limits;
  std::string_view default_config;
  std::string_view precision;
};

// It owns itself until gRPC has done with it, and is held by the pipeline and by StreamWatch as well. Messages that
// wait for the client are bounded: when they are kFullBytes, the pipeline makes no more. At most one piece is read
// ahead of what the pipeline has taken.
//
// gRPC's operations are started under mu_: none of their reactions runs on the thread that starts them.
class StreamReactor final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                            public StreamSink,
                            public std::enable_shared_from_this<StreamReactor> {
 public:
  static std::shared_ptr<StreamReactor> Create(grpc::CallbackServerContext* context, CallSinks sinks,
                                               const StreamParts& parts);

  // Who calls, and whether that one may: before anything else. Then one call of what the caller may.
  std::optional<RequestFault> PassDoor() ABSL_LOCKS_EXCLUDED(mu_);
  std::optional<RequestFault> TakeCall() ABSL_LOCKS_EXCLUDED(mu_);

  // Known once it has passed the door.
  Caller caller() ABSL_LOCKS_EXCLUDED(mu_);

  // Exactly one of Refuse and Begin is called, by the handler. on_done: when gRPC is done with it, last of all.
  void Refuse(const RequestFault& fault) ABSL_LOCKS_EXCLUDED(mu_);
  void Begin(std::function<void()> on_done) ABSL_LOCKS_EXCLUDED(mu_);

  // Looks whether the client has been idle or the stream has lasted too long, and ends it then.
  void Tick(SteadyTime now) ABSL_LOCKS_EXCLUDED(mu_);

  // As StreamCall::Stop. Before it has started: at once.
  void Stop(const CallError& error) ABSL_LOCKS_EXCLUDED(mu_);

  // Ends it without another word: what its client does not read would hold it open.
  void Cancel() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  StreamReactor(grpc::CallbackServerContext* context, CallSinks sinks, const StreamParts& parts);

  // --- What gRPC calls.
  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mu_);
  void OnDone() override;

  // --- What the pipeline calls.
  std::optional<CallError> OnRows(const WindowRows& rows) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnEnd(const CallError* error, const CallReport& report, std::unique_ptr<Admission::Share> held) override
      ABSL_LOCKS_EXCLUDED(mu_);
  void OnPieceTaken() override ABSL_LOCKS_EXCLUDED(mu_);
  bool IsFull() const override { return is_full_.load(); }

  // --- Reading.
  void Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // From read_bytes_ into request_; or why not.
  std::optional<RequestFault> ReadStreamMessage();
  // unread: why there is no message.
  void TakeStart(const std::optional<RequestFault>& unread) ABSL_LOCKS_EXCLUDED(mu_);
  void TakePiece(std::optional<RequestFault> unread) ABSL_LOCKS_EXCLUDED(mu_);
  // A piece counts as its caller's. The fault that the stream then ends with, if the caller may take no more.
  std::optional<RequestFault> CountPiece(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What the client may not send behind the start: the stream ends once the rows that are known have left.
  std::optional<RequestFault> FindMisuse() const;

  // --- Writing.
  using Message = std::unique_ptr<v1::StreamEmbeddingsResponse>;
  void Queue(Message message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Where the client is to know how much has been read, and has not been told: before all that waits. While nothing is
  // on its way, so that one acknowledgement waits at most.
  void Acknowledge() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Goes on with what waits: a message, or the end.
  void GoOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Ends it when all messages have left: with a summary, or a fault. Only the first end counts.
  void End(const RequestFault* fault, const CallReport& report) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndWell(const CallReport& report) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  grpc::CallbackServerContext* const context_;
  const StreamParts parts_;
  Door* const door_;
  std::atomic<bool> is_full_ = false;

  Mutex mu_;
  std::shared_ptr<StreamReactor> self_ ABSL_GUARDED_BY(mu_);
  std::function<void()> on_done_ ABSL_GUARDED_BY(mu_);
  SteadyTime latest_end_ ABSL_GUARDED_BY(mu_) = SteadyTime::InfiniteFuture();
  CallAccount account_ ABSL_GUARDED_BY(mu_);
  StreamPlan plan_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<StreamWriter> writer_ ABSL_GUARDED_BY(mu_);  // From the start on.
  std::shared_ptr<StreamCall> stream_ ABSL_GUARDED_BY(mu_);    // Likewise.
  std::string fault_field_ ABSL_GUARDED_BY(mu_);               // Of what the writer refused, or the client did.
  std::unique_ptr<Admission::Share> held_ ABSL_GUARDED_BY(mu_);

  grpc::ByteBuffer read_bytes_;          // The pending read's, else its reaction's.
  v1::StreamEmbeddingsRequest request_;  // The reaction's.
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  SteadyTime reading_since_ ABSL_GUARDED_BY(mu_);
  absl::Duration waited_ ABSL_GUARDED_BY(mu_);  // In the reads before, since the last audio.
  int64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;      // Of samples, so far.
  bool acknowledges_ ABSL_GUARDED_BY(mu_) = false;
  int64_t acknowledged_ ABSL_GUARDED_BY(mu_) = 0;  // Of bytes_.

  std::deque<Message> messages_ ABSL_GUARDED_BY(mu_);  // While writing_, the first is on its way.
  int64_t queued_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t reply_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // Of all messages so far.
  grpc::ByteBuffer written_bytes_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  SteadyTime writing_since_ ABSL_GUARDED_BY(mu_);
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mu_);
  bool finished_ ABSL_GUARDED_BY(mu_) = false;  // Nothing of gRPC's may be called any more.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_STREAM_REACTOR_H_
