#include "tests/client/fake_server.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <numeric>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/ext/health_check_service_server_builder_option.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/server_builder.h"
#include "grpcpp/server_context.h"

namespace hearwire::client {
namespace {

using Row = std::array<float, kFakeDimension>;

Row ClipRow(const v1::Audio& clip) {
  const std::string& bytes = clip.has_pcm() ? clip.pcm().samples() : clip.encoded();
  const auto sum = std::accumulate(bytes.begin(), bytes.end(), uint32_t{0},
                                   [](uint32_t total, char byte) { return total + static_cast<uint8_t>(byte); });
  return {static_cast<float>(bytes.size()), static_cast<float>(sum % 65536),
          static_cast<float>(clip.pcm().sample_rate_hertz()), static_cast<float>(clip.pcm().channel_count())};
}

void AddRow(v1::ElementType type, const Row& row, v1::Matrix* matrix) {
  matrix->set_rows(matrix->rows() + 1);
  matrix->set_columns(kFakeDimension);
  matrix->set_element_type(type);
  if (type == v1::ELEMENT_TYPE_FLOAT16) {
    constexpr std::array<uint16_t, kFakeDimension> kHalves = {0x3e00, 0xc000, 0x7bff, 0x0001};
    matrix->mutable_data()->append(reinterpret_cast<const char*>(kHalves.data()), sizeof(kHalves));
  } else {
    matrix->mutable_data()->append(reinterpret_cast<const char*>(row.data()), sizeof(row));
  }
}

void FillSpace(const std::string& config, v1::EmbeddingSpace* space, v1::Timings* timings) {
  space->set_config(config);
  space->set_weights_sha256("abc123");
  space->set_frontend("logmel-1");
  space->set_precision("float32");
  timings->set_total_ns(4'000'000);
  timings->set_decode_ns(1'000'000);
  timings->set_queue_ns(2'000'000);
  timings->set_inference_ns(500'000);
}

grpc::Status Bad() {
  google::rpc::Status status;
  status.set_code(grpc::StatusCode::INVALID_ARGUMENT);
  status.set_message("clips[0].encoded: not an audio file");
  google::rpc::BadRequest bad_request;
  auto* violation = bad_request.add_field_violations();
  violation->set_field("clips[0].encoded");
  violation->set_description("not an audio file");
  google::rpc::ErrorInfo info;
  info.set_reason("BAD_AUDIO");
  (*info.mutable_metadata())["limit"] = "17";
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(1);
  retry.mutable_retry_delay()->set_nanos(500'000'000);
  for (const google::protobuf::Message* detail :
       {static_cast<google::protobuf::Message*>(&bad_request), static_cast<google::protobuf::Message*>(&info),
        static_cast<google::protobuf::Message*>(&retry)}) {
    status.add_details()->PackFrom(*detail);
  }
  return {grpc::StatusCode::INVALID_ARGUMENT, status.message(), status.SerializeAsString()};
}

grpc::Status TooLarge() {
  google::rpc::Status status;
  status.set_code(grpc::StatusCode::RESOURCE_EXHAUSTED);
  status.set_message("the reply would be 17 bytes, more than this server sends (16 bytes): ask for float16");
  google::rpc::ErrorInfo info;
  info.set_reason("REPLY_TOO_LARGE");
  (*info.mutable_metadata())["reply_bytes"] = "17";
  (*info.mutable_metadata())["max_reply_bytes"] = "16";
  status.add_details()->PackFrom(info);
  return {grpc::StatusCode::RESOURCE_EXHAUSTED, status.message(), status.SerializeAsString()};
}

}  // namespace

void FakeService::RefuseNext(int calls, grpc::StatusCode code, const std::string& pushback_ms) {
  const std::lock_guard lock(mu_);
  refuse_calls_ = calls;
  refuse_code_ = code;
  refuse_pushback_ms_ = pushback_ms;
}

void FakeService::TellLimit(uint64_t max_message_bytes) {
  const std::lock_guard lock(mu_);
  limit_ = max_message_bytes;
}

std::string FakeService::last_previous_attempts() const {
  const std::lock_guard lock(mu_);
  return previous_attempts_;
}

std::string FakeService::last_metadata(const std::string& name) const {
  const std::lock_guard lock(mu_);
  std::string values;
  const auto [first, last] = metadata_.equal_range(name);
  for (auto one = first; one != last; ++one) values += (values.empty() ? "" : ",") + one->second;
  return values;
}

std::vector<std::string> FakeService::configs_asked_for() const {
  const std::lock_guard lock(mu_);
  return configs_;
}

grpc::Status FakeService::Admit(grpc::ServerContext* context, const std::string& name,
                                const google::protobuf::RepeatedPtrField<v1::Audio>& clips) {
  ++attempts_;
  struct Counted {
    std::atomic<int>& count;
    ~Counted() { --count; }
  } counted{at_once_};
  const int now = ++at_once_;
  for (int most = most_at_once_; now > most && !most_at_once_.compare_exchange_weak(most, now);) {
  }
  context->AddTrailingMetadata("x-request-id", "fake-" + std::to_string(attempts_));
  std::unique_lock lock(mu_);
  configs_.push_back(name);
  metadata_.clear();
  for (const auto& [name, value] : context->client_metadata()) {
    metadata_.emplace(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
  }
  const auto previous = context->client_metadata().find("grpc-previous-rpc-attempts");
  previous_attempts_ =
      previous == context->client_metadata().end() ? "" : std::string(previous->second.data(), previous->second.size());
  if (refuse_calls_ > 0) {
    --refuse_calls_;
    if (!refuse_pushback_ms_.empty()) context->AddTrailingMetadata("grpc-retry-pushback-ms", refuse_pushback_ms_);
    return {refuse_code_, "come back later"};
  }
  if (name == "unknown")
    return {grpc::StatusCode::NOT_FOUND, "no config or network is called unknown; ListConfigs lists all"};
  const std::string start = clips.empty() ? "" : clips[0].encoded().substr(0, 4);
  if (start.rfind("bad", 0) == 0) return Bad();
  if (start == "huge") {
    context->AddTrailingMetadata("grpc-retry-pushback-ms", "-1");
    return TooLarge();
  }
  if (start == "late") {
    while (answered_ == 0 && !context->IsCancelled()) answered_changed_.wait_for(lock, std::chrono::milliseconds(2));
  }
  while (start == "hang" && !context->IsCancelled()) answered_changed_.wait_for(lock, std::chrono::milliseconds(2));
  ++answered_;
  answered_changed_.notify_all();
  return grpc::Status::OK;
}

grpc::Status FakeService::GetSceneEmbeddings(grpc::ServerContext* context, const v1::GetSceneEmbeddingsRequest* request,
                                             v1::GetSceneEmbeddingsResponse* reply) {
  if (grpc::Status refused = Admit(context, request->config(), request->clips()); !refused.ok()) return refused;
  for (const v1::Audio& clip : request->clips()) {
    AddRow(request->element_type(), ClipRow(clip), reply->mutable_embeddings());
  }
  FillSpace(request->config().empty() ? "fake" : request->config(), reply->mutable_space(), reply->mutable_timings());
  return grpc::Status::OK;
}

grpc::Status FakeService::GetTimestampEmbeddings(grpc::ServerContext* context,
                                                 const v1::GetTimestampEmbeddingsRequest* request,
                                                 v1::GetTimestampEmbeddingsResponse* reply) {
  if (grpc::Status refused = Admit(context, request->config(), request->clips()); !refused.ok()) return refused;
  for (const v1::Audio& clip : request->clips()) {
    v1::TimestampEmbeddings* answer = reply->add_clips();
    Row row = ClipRow(clip);
    std::copy_backward(row.begin(), row.end() - 1, row.end());
    const int rows = std::max(1, static_cast<int>(row[1]) / 1000);
    for (int i = 0; i < rows; ++i) {
      row[0] = static_cast<float>(i);
      AddRow(request->element_type(), row, answer->mutable_embeddings());
      answer->add_timestamps_ms(50.0 * i);
    }
  }
  FillSpace(request->config().empty() ? "fake" : request->config(), reply->mutable_space(), reply->mutable_timings());
  return grpc::Status::OK;
}

grpc::Status FakeService::GetTags(grpc::ServerContext* context, const v1::GetTagsRequest* request,
                                  v1::GetTagsResponse* reply) {
  if (grpc::Status refused = Admit(context, request->network(), request->clips()); !refused.ok()) return refused;
  for (const v1::Audio& clip : request->clips()) {
    v1::Tags* answer = reply->add_clips();
    const uint32_t count = request->top_k() == 0 ? 527 : request->top_k();
    for (uint32_t i = 0; i < count; ++i) {
      v1::Tag* tag = answer->add_tags();
      tag->set_index(i);
      tag->set_name(i == 0 ? "Rain, \"heavy\"" : "Class " + std::to_string(i));
      tag->set_probability(1 / (ClipRow(clip)[0] + static_cast<float>(i)));
    }
  }
  FillSpace("", reply->mutable_space(), reply->mutable_timings());
  return grpc::Status::OK;
}

grpc::Status FakeService::ListConfigs(grpc::ServerContext* /*context*/, const v1::ListConfigsRequest* request,
                                      v1::ListConfigsResponse* reply) {
  ++lists_;
  {
    const std::lock_guard lock(mu_);
    if (limit_ == 0) return {grpc::StatusCode::UNIMPLEMENTED, "no such method"};
    if (limit_) reply->mutable_limits()->set_max_message_bytes(*limit_);
  }
  v1::Config* loaded = reply->add_configs();
  loaded->set_name("fake");
  loaded->set_network("fake_as");
  loaded->set_loaded(true);
  loaded->set_is_default(true);
  loaded->set_sample_rate(32000);
  loaded->set_scene_embedding_size(kFakeDimension);
  loaded->set_timestamp_embedding_size(kFakeDimension);
  loaded->set_timestamp_window_ms(160);
  loaded->set_timestamp_hop_ms(50);
  loaded->set_min_scene_samples(514);
  loaded->set_min_timestamp_samples(2561);
  loaded->mutable_space()->set_config("fake");
  loaded->mutable_space()->set_weights_sha256("abc123");
  if (request->loaded_only()) return grpc::Status::OK;
  v1::Config* absent = reply->add_configs();
  absent->set_name("absent");
  absent->set_network("absent_as");
  return grpc::Status::OK;
}

FakeServer::FakeServer(const std::string& address, int max_message_bytes) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service_);
  builder.SetMaxReceiveMessageSize(max_message_bytes);
  server_ = builder.BuildAndStart();
  address_ = address.find(":0") == std::string::npos ? address : "127.0.0.1:" + std::to_string(port);
}

FakeServer::~FakeServer() { Shutdown(); }

void FakeServer::SetServing(bool serving) { server_->GetHealthCheckService()->SetServingStatus(serving); }

void FakeServer::Shutdown() { server_->Shutdown(std::chrono::system_clock::now()); }

}  // namespace hearwire::client
