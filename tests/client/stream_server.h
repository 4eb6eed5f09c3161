// A server of streams alone: it computes rows from the samples, so that a missing, doubled or wrong row is seen, or
// does what a test scripts.

#ifndef HEARWIRE_TESTS_CLIENT_STREAM_SERVER_H_
#define HEARWIRE_TESTS_CLIENT_STREAM_SERVER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "grpcpp/server.h"
#include "grpcpp/support/sync_stream.h"
#include "hearwire/v1/embedding.grpc.pb.h"

namespace hearwire::client {

using StreamPeer = grpc::ServerReaderWriter<v1::StreamEmbeddingsResponse, v1::StreamEmbeddingsRequest>;

// UNAVAILABLE as a draining server says it: facts are the ErrorInfo's metadata. Also others' codes.
grpc::Status StreamFailure(grpc::ServerContext* context, grpc::StatusCode code, const std::string& reason,
                           const std::map<std::string, std::string>& facts, int64_t retry_delay_ms = 0);

void AddStreamRow(double timestamp_ms, const std::vector<float>& values, v1::TimestampEmbeddings* rows);
v1::StreamEmbeddingsResponse StreamStartedMessage(const std::string& weights = "abc123");

// How one call of the model goes.
struct StreamPlan {
  int64_t end_after_rows = -1;    // UNAVAILABLE then; -1: never.
  int64_t end_after_scenes = -1;  // Likewise.
  bool facts = false;             // Says where to go on.
  bool refuse = false;            // UNAVAILABLE at once.
  std::string weights = "abc123";
  // Audio that may be on its way: it takes it as slowly as that allows, and fails the call where more comes. 0: any.
  int64_t bytes_ahead = 0;
};

// The contract of a server's streams on samples of LINEAR16, one channel. Rows have windows of 160 ms: [index, sum of
// the window's samples, 0]. Scene windows: [index, sum]. Heads: "every50" answers a label for each row, "whole" with
// each scene window. Rows whose window begins within 1.1 s of a first_sample above 0 are wrong, as a resampler's are.
grpc::Status ServeStream(const StreamPlan& plan, grpc::ServerContext* context, StreamPeer* peer);

class StreamService final : public v1::EmbeddingService::Service {
 public:
  using Script = std::function<grpc::Status(int call, grpc::ServerContext*, StreamPeer*)>;
  // call: counts from 0.
  explicit StreamService(Script script) : script_(std::move(script)) {}

  int calls() const { return calls_; }

  grpc::Status StreamEmbeddings(grpc::ServerContext* context, StreamPeer* peer) override;
  grpc::Status ListHeads(grpc::ServerContext* context, const v1::ListHeadsRequest* request,
                         v1::ListHeadsResponse* reply) override;

 private:
  const Script script_;
  std::atomic<int> calls_ = 0;
};

// Behind a real socket.
class StreamServer {
 public:
  explicit StreamServer(StreamService::Script script);
  // One plan for each call; the last one for all others.
  explicit StreamServer(std::vector<StreamPlan> plans);
  ~StreamServer();

  std::string address() const { return address_; }
  int calls() const { return service_.calls(); }
  // Ends all calls at once.
  void Stop();

 private:
  StreamService service_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace hearwire::client

#endif  // HEARWIRE_TESTS_CLIENT_STREAM_SERVER_H_
