#include "tests/client/stream_server.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "grpcpp/server_context.h"

namespace hearwire::client {
namespace {

constexpr double kWrongMs = 1100;

class Model {
 public:
  Model(const StreamPlan& plan, grpc::ServerContext* context, StreamPeer* peer)
      : plan_(plan), context_(context), peer_(peer) {}

  grpc::Status Run() {
    v1::StreamEmbeddingsRequest request;
    if (!peer_->Read(&request) || !request.has_start()) return {grpc::StatusCode::INVALID_ARGUMENT, "no start"};
    start_ = request.start();
    if (plan_.refuse) return StreamFailure(context_, grpc::StatusCode::UNAVAILABLE, "SHUTTING_DOWN", {});
    if (plan_.bytes_ahead > 0) {
      context_->AddInitialMetadata("x-hearwire-max-bytes-ahead", std::to_string(plan_.bytes_ahead));
    }
    peer_->Write(StreamStartedMessage(plan_.weights));
    while (peer_->Read(&request)) {
      bytes_ += request.samples();
      if (!TakesNext()) return {grpc::StatusCode::INVALID_ARGUMENT, "more has come than may be on its way"};
      if (!Answer(/*ended=*/false)) return Unavailable();
    }
    if (context_->IsCancelled()) return grpc::Status::CANCELLED;
    if (!Answer(/*ended=*/true)) return Unavailable();
    v1::StreamEmbeddingsResponse last;
    last.mutable_summary()->set_audio_ms(end_ms());
    last.mutable_summary()->set_timestamp_rows(start_.timestamps() ? rows_ : 0);
    last.mutable_summary()->set_scene_windows(scenes_);
    if (start_.scenes() && start_.first_sample() == 0)
      SetValues({-1, Sum(0, end_ms())}, last.mutable_summary()->mutable_scene());
    peer_->Write(last);
    return grpc::Status::OK;
  }

 private:
  double first_ms() const { return Ms(static_cast<double>(start_.first_sample())); }
  double Ms(double samples) const { return samples * 1000 / start_.sample_rate_hertz(); }
  double end_ms() const { return Ms(static_cast<double>(start_.first_sample() + bytes_.size() / 2)); }

  float Sum(double from_ms, double to_ms) const {
    const double per_ms = start_.sample_rate_hertz() / 1000.0;
    const auto first = static_cast<int64_t>(start_.first_sample());
    int64_t sum = 0;
    for (auto i = static_cast<int64_t>(std::max(from_ms, first_ms()) * per_ms);
         i < static_cast<int64_t>(std::min(to_ms, end_ms()) * per_ms); ++i) {
      int16_t sample = 0;
      std::memcpy(&sample, bytes_.data() + 2 * (i - first), sizeof(sample));
      sum += sample;
    }
    return static_cast<float>(sum % 65536);
  }

  static void SetValues(const std::vector<float>& values, v1::Matrix* matrix) {
    matrix->set_rows(1);
    matrix->set_columns(static_cast<uint32_t>(values.size()));
    matrix->set_element_type(v1::ELEMENT_TYPE_FLOAT32);
    matrix->set_data(values.data(), values.size() * sizeof(float));
  }

  bool Asks(const std::string& head) const {
    return std::find(start_.heads().begin(), start_.heads().end(), head) != start_.heads().end();
  }

  // Acknowledges the audio when the client may send no more. False: it has sent more.
  bool TakesNext() {
    if (plan_.bytes_ahead == 0) return true;
    constexpr int64_t kUntilKnown = 16 << 10;  // What a client may send that has not heard of the bound.
    const auto size = static_cast<int64_t>(bytes_.size());
    if (size > std::max(taken_ + plan_.bytes_ahead, kUntilKnown)) return false;
    if (taken_ + plan_.bytes_ahead - size >= plan_.bytes_ahead / 4) return true;
    taken_ = size;
    v1::StreamEmbeddingsResponse response;
    response.mutable_taken()->set_bytes(static_cast<uint64_t>(size));
    peer_->Write(response);
    return true;
  }

  // All that is known now. False: the plan ends the call.
  bool Answer(bool ended) {
    for (;; ++next_row_) {
      const double centre = next_row_ * 50.0;
      if (ended ? centre > end_ms() : centre + 80 > end_ms()) break;
      if (start_.first_sample() > 0 && centre - 80 < first_ms()) continue;
      if (rows_ == plan_.end_after_rows) return false;
      ++rows_;
      v1::StreamEmbeddingsResponse response;
      if (start_.timestamps()) {
        const float wrong = start_.first_sample() > 0 && centre - 80 < first_ms() + kWrongMs ? 1 : 0;
        AddStreamRow(centre, {static_cast<float>(next_row_), Sum(centre - 80, centre + 80), wrong},
                     response.mutable_timestamps());
        peer_->Write(response);
      }
      if (Asks("every50")) {
        v1::HeadAnswer& answer = *response.mutable_head_rows()->add_heads();
        answer.set_head("every50");
        v1::LabelRow& row = *answer.add_rows();
        row.set_timestamp_ms(centre);
        row.add_labels()->set_index(static_cast<uint32_t>(next_row_));
        peer_->Write(response);
      }
    }
    if (!start_.scenes() && start_.tags_top_k() == 0 && !Asks("whole")) return true;
    for (; end_ms() > 10'000; ++next_scene_) {
      const double centre = next_scene_ * 2500.0;
      if (ended ? centre > end_ms() : centre + 5000 > end_ms()) break;
      if (start_.first_sample() > 0 && centre - 5000 < first_ms()) continue;
      if (scenes_ == plan_.end_after_scenes) return false;
      ++scenes_;
      v1::StreamEmbeddingsResponse response;
      response.mutable_scene()->set_centre_ms(centre);
      if (start_.scenes()) {
        SetValues({static_cast<float>(next_scene_), Sum(centre - 5000, centre + 5000)},
                  response.mutable_scene()->mutable_embedding());
      }
      if (start_.tags_top_k() > 0) response.mutable_scene()->add_tags()->set_name("Dog");
      if (Asks("whole")) response.mutable_scene()->add_heads()->set_head("whole");
      peer_->Write(response);
    }
    return true;
  }

  grpc::Status Unavailable() const {
    if (!plan_.facts) return {grpc::StatusCode::UNAVAILABLE, "gone"};
    double needed = next_row_ * 50.0 - 80 - kWrongMs;
    if (start_.scenes()) needed = std::min(needed, next_scene_ * 2500.0 - 5000 - kWrongMs);
    const auto sample = static_cast<int64_t>(std::max(needed, first_ms()) * start_.sample_rate_hertz() / 1000);
    return StreamFailure(context_, grpc::StatusCode::UNAVAILABLE, "SHUTTING_DOWN",
                         {{"resume_sample", std::to_string(sample)}, {"timestamp_rows", std::to_string(rows_)}});
  }

  const StreamPlan& plan_;
  grpc::ServerContext* const context_;
  StreamPeer* const peer_;
  v1::StreamStart start_;
  std::string bytes_;
  int64_t taken_ = 0;  // As the client has heard.
  int64_t next_row_ = 0;
  int64_t next_scene_ = 0;
  int64_t rows_ = 0;
  int64_t scenes_ = 0;
};

}  // namespace

grpc::Status StreamFailure(grpc::ServerContext* context, grpc::StatusCode code, const std::string& reason,
                           const std::map<std::string, std::string>& facts, int64_t retry_delay_ms) {
  google::rpc::Status status;
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  for (const auto& [name, value] : facts) (*info.mutable_metadata())[name] = value;
  status.add_details()->PackFrom(info);
  if (retry_delay_ms > 0) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(retry_delay_ms * 1'000'000));
    status.add_details()->PackFrom(retry);
  }
  context->AddTrailingMetadata("grpc-retry-pushback-ms", "-1");
  return {code, "come back later", status.SerializeAsString()};
}

void AddStreamRow(double timestamp_ms, const std::vector<float>& values, v1::TimestampEmbeddings* rows) {
  v1::Matrix& matrix = *rows->mutable_embeddings();
  matrix.set_rows(matrix.rows() + 1);
  matrix.set_columns(static_cast<uint32_t>(values.size()));
  matrix.set_element_type(v1::ELEMENT_TYPE_FLOAT32);
  matrix.mutable_data()->append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  rows->add_timestamps_ms(timestamp_ms);
}

v1::StreamEmbeddingsResponse StreamStartedMessage(const std::string& weights) {
  v1::StreamEmbeddingsResponse message;
  message.mutable_started()->mutable_space()->set_config("model");
  message.mutable_started()->mutable_space()->set_weights_sha256(weights);
  message.mutable_started()->set_scene_embedding_size(2);
  message.mutable_started()->set_timestamp_embedding_size(3);
  return message;
}

grpc::Status ServeStream(const StreamPlan& plan, grpc::ServerContext* context, StreamPeer* peer) {
  return Model(plan, context, peer).Run();
}

grpc::Status StreamService::StreamEmbeddings(grpc::ServerContext* context, StreamPeer* peer) {
  return script_(calls_++, context, peer);
}

grpc::Status StreamService::ListHeads(grpc::ServerContext* /*context*/, const v1::ListHeadsRequest* /*request*/,
                                      v1::ListHeadsResponse* reply) {
  v1::Head& rows = *reply->add_heads();
  rows.set_name("every50");
  rows.set_kind(v1::HEAD_KIND_TIMESTAMPS);
  for (int i = 0; i < 200; ++i) rows.add_labels("label " + std::to_string(i));
  v1::Head& scene = *reply->add_heads();
  scene.set_name("whole");
  scene.set_kind(v1::HEAD_KIND_SCENE);
  return grpc::Status::OK;
}

StreamServer::StreamServer(StreamService::Script script) : service_(std::move(script)) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service_);
  builder.SetMaxReceiveMessageSize(4 << 20);
  server_ = builder.BuildAndStart();
  address_ = "127.0.0.1:" + std::to_string(port);
}

StreamServer::StreamServer(std::vector<StreamPlan> plans)
    : StreamServer([plans = std::move(plans)](int call, grpc::ServerContext* context, StreamPeer* peer) {
        return ServeStream(plans[std::min(static_cast<size_t>(call), plans.size() - 1)], context, peer);
      }) {}

StreamServer::~StreamServer() { Stop(); }

void StreamServer::Stop() { server_->Shutdown(std::chrono::system_clock::now()); }

}  // namespace hearwire::client
