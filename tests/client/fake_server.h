// A server that answers from the bytes of the request, so that an answer to another request is seen.

#ifndef HEARWIRE_TESTS_CLIENT_FAKE_SERVER_H_
#define HEARWIRE_TESTS_CLIENT_FAKE_SERVER_H_

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "grpcpp/server.h"
#include "hearwire/v1/embedding.grpc.pb.h"

namespace hearwire::client {

inline constexpr int kFakeDimension = 4;

// Row of a clip: [bytes, sum of the bytes modulo 65536, sample rate, channels], the last two 0 for encoded clips.
// Float16 replies carry 1.5, -2, 65504 and 2^-24 instead. Timestamps: one row per 1000 bytes, at least one: [row, the
// above three]. Encoded clips that start with
//   "bad"   fail with INVALID_ARGUMENT and a BadRequest that names clips[0].encoded;
//   "huge"  fail with RESOURCE_EXHAUSTED for REPLY_TOO_LARGE, not to be retried;
//   "hang"  are not answered before the caller gives up;
//   "late"  are answered when another call has been, at any time.
// Config and network "unknown" are NOT_FOUND.
class FakeService final : public v1::EmbeddingService::Service {
 public:
  // The next `calls` attempts fail with `code`. pushback_ms: sent with them, unless empty.
  void RefuseNext(int calls, grpc::StatusCode code, const std::string& pushback_ms);

  int attempts() const { return attempts_; }
  // Of the last attempt, as gRPC counts them: "" for the first.
  std::string last_previous_attempts() const;
  // What ListConfigs tells of limits; nothing before this is called. 0: it fails with UNIMPLEMENTED, which a client
  // takes for a server without limits.
  void TellLimit(uint64_t max_message_bytes);
  int lists() const { return lists_; }  // How often ListConfigs was called.
  // Of the last attempt: the values under that name, as they came, with commas between.
  std::string last_metadata(const std::string& name) const;
  int most_at_once() const { return most_at_once_; }
  std::vector<std::string> configs_asked_for() const;

  grpc::Status GetSceneEmbeddings(grpc::ServerContext* context, const v1::GetSceneEmbeddingsRequest* request,
                                  v1::GetSceneEmbeddingsResponse* reply) override;
  grpc::Status GetTimestampEmbeddings(grpc::ServerContext* context, const v1::GetTimestampEmbeddingsRequest* request,
                                      v1::GetTimestampEmbeddingsResponse* reply) override;
  grpc::Status GetTags(grpc::ServerContext* context, const v1::GetTagsRequest* request,
                       v1::GetTagsResponse* reply) override;
  grpc::Status ListConfigs(grpc::ServerContext* context, const v1::ListConfigsRequest* request,
                           v1::ListConfigsResponse* reply) override;

 private:
  grpc::Status Admit(grpc::ServerContext* context, const std::string& name,
                     const google::protobuf::RepeatedPtrField<v1::Audio>& clips);

  std::atomic<int> attempts_ = 0;
  std::atomic<int> lists_ = 0;
  std::atomic<int> at_once_ = 0;
  std::atomic<int> most_at_once_ = 0;

  mutable std::mutex mu_;
  std::condition_variable answered_changed_;
  int answered_ = 0;
  int refuse_calls_ = 0;
  grpc::StatusCode refuse_code_ = grpc::StatusCode::OK;
  std::string refuse_pushback_ms_;
  std::string previous_attempts_;
  std::multimap<std::string, std::string> metadata_;
  std::vector<std::string> configs_;
  std::optional<uint64_t> limit_;
};

// A FakeService behind a real socket, with health: SERVING from the start.
class FakeServer {
 public:
  // address: where to listen; port 0 takes a free one.
  explicit FakeServer(const std::string& address = "127.0.0.1:0", int max_message_bytes = 64 << 20);
  ~FakeServer();

  FakeService& service() { return service_; }
  std::string address() const { return address_; }  // HOST:PORT, or as given for other addresses.
  void SetServing(bool serving);
  void Shutdown();

 private:
  FakeService service_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace hearwire::client

#endif  // HEARWIRE_TESTS_CLIENT_FAKE_SERVER_H_
