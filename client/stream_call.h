// One StreamEmbeddings RPC: at most one message of each direction is on its way.

#ifndef HEARWIRE_CLIENT_STREAM_CALL_H_
#define HEARWIRE_CLIENT_STREAM_CALL_H_

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/call_metadata.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"
#include "hearwire/v1/embedding.grpc.pb.h"

namespace hearwire::client {

class StreamCall;

// Whose lock guards its calls.
class StreamCallOwner {
 public:
  virtual ~StreamCallOwner() = default;

  std::mutex mu;
  // Something about a call has changed.
  std::condition_variable changed;

  // The connection has taken the last message: another may be written. With `mu` held, from a thread of gRPC's.
  virtual void OnWritten(StreamCall& call) = 0;
  // The server has said how much audio may be on its way (bytes_ahead.h). Likewise.
  virtual void OnBound(StreamCall& call, int64_t max_bytes_ahead) = 0;
};

// All methods need the owner's lock.
class StreamCall final : public grpc::ClientBidiReactor<v1::StreamEmbeddingsRequest, v1::StreamEmbeddingsResponse> {
 public:
  // Begins the RPC and sends `start`. deadline: infinite for none. server: for messages. The owner must outlive the
  // call, and the call its RPC: it may be destroyed once status() is known. Not by a thread of gRPC's: with the call
  // may go the channel, whose end waits for those threads.
  static std::unique_ptr<StreamCall> Start(v1::EmbeddingService::StubInterface& stub, StreamCallOwner& owner,
                                           const std::string& server, absl::Duration deadline,
                                           const MetadataPairs& metadata, const v1::StreamStart& start);

  bool may_write() const { return !writing_ && !half_closed_ && !over_; }
  // Only when may_write().
  void Write(std::string_view samples);
  void HalfClose();

  bool has_message() const { return has_message_; }
  // Only when has_message(). The next one is then waited for.
  v1::StreamEmbeddingsResponse Take();

  // How the RPC ended; absent until it has, and all its messages were taken.
  const std::optional<absl::Status>& status() const { return status_; }

  // Ends the RPC if it runs. Messages are not to be taken any more.
  void Abandon();

 private:
  StreamCall(StreamCallOwner& owner, std::string server, absl::Duration deadline);

  void OnReadInitialMetadataDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  const std::string server_;
  const absl::Duration deadline_;
  StreamCallOwner& owner_;

  grpc::ClientContext context_;
  v1::StreamEmbeddingsRequest request_;
  v1::StreamEmbeddingsResponse response_;
  bool writing_ = false;
  bool half_closed_ = false;
  bool has_message_ = false;
  bool over_ = false;  // There is nothing more to read: no operation may be started.
  bool abandoned_ = false;
  std::optional<absl::Status> status_;
};

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_STREAM_CALL_H_
