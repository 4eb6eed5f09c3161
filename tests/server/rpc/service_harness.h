// The service in this process: gRPC, pipeline, batcher and front end are real, the backend is a fake.

#ifndef HEARWIRE_TESTS_SERVER_RPC_SERVICE_HARNESS_H_
#define HEARWIRE_TESTS_SERVER_RPC_SERVICE_HARNESS_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "hearwire/v1/embedding.grpc.pb.h"
#include "server/batching/batcher.h"
#include "server/concurrency/steady_time.h"
#include "server/pipeline/head_catalog.h"
#include "server/pipeline/metrics_observer.h"
#include "server/pipeline/network_catalog.h"
#include "server/pipeline/pipeline.h"
#include "server/rpc/embedding_service.h"
#include "tests/fixtures/fake_embedder.h"
#include "tests/fixtures/head_file.h"
#include "tests/fixtures/recorded_metrics.h"

namespace hearwire {

// One call's record, with what it views copied.
struct KeptRecord {
  std::string method, config, request_id, peer, caller;
  absl::Status status;
  std::string reason;
  int64_t clips = 0;
  absl::Duration audio, total, decode;
};

class ServiceHarness {
 public:
  struct Options {
    PipelineOptions pipeline = {};
    BatcherOptions batcher = {};
    EmbeddingServiceOptions service = {};
    FakeBackend::BeforeEmbed before_embed = {};
    std::map<std::string, HeadFile> heads = {};  // By name.
    bool open = true;
    AccessOptions access = {};  // Of the door.
    bool listens = false;       // On a port of this machine: NewConnection.
  };

  explicit ServiceHarness(Options options);
  ServiceHarness() : ServiceHarness(Options{}) {}
  ~ServiceHarness() { EndServer(); }

  // Answers what is in flight, and ends.
  void EndServer();

  std::shared_ptr<grpc::Channel> NewChannel() { return server_->InProcessChannel({}); }
  std::unique_ptr<v1::EmbeddingService::Stub> NewStub() { return v1::EmbeddingService::NewStub(NewChannel()); }
  // Likewise over a socket of its own.
  std::shared_ptr<grpc::Channel> NewConnectionChannel() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port_), grpc::InsecureChannelCredentials(),
                                     arguments);
  }
  std::unique_ptr<v1::EmbeddingService::Stub> NewConnection() {
    return v1::EmbeddingService::NewStub(NewConnectionChannel());
  }
  // The records so far, oldest first; waits until there are so many.
  std::vector<KeptRecord> WaitForRecords(size_t count);

  FakeBackend backend;
  RecordedMetrics metrics;
  std::unique_ptr<Batcher> batcher;
  std::unique_ptr<Pipeline> pipeline;
  std::unique_ptr<Door> door;
  std::unique_ptr<EmbeddingServiceImpl> service;

 private:
  MetricsObserver observer_{&metrics, {}};
  std::unique_ptr<ServedModels> models_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  Mutex mu_;
  CondVar changed_;
  std::vector<KeptRecord> records_ ABSL_GUARDED_BY(mu_);
};

// As a server loads them, from a folder that is gone afterwards.
inline HeadCatalog LoadHeads(const std::map<std::string, HeadFile>& heads, const NetworkCatalog& networks) {
  if (heads.empty()) return {};
  std::string folder = testing::TempDir() + "hearwire-heads-XXXXXX";
  mkdtemp(folder.data());
  for (const auto& [name, head] : heads) {
    std::ofstream(folder + "/" + name + ".safetensors", std::ios::binary) << head.Bytes();
  }
  HeadCatalog catalog = HeadCatalog::Load({.folder = folder, .precision = "float32"}, networks).value();
  std::filesystem::remove_all(folder);
  return catalog;
}

inline ServiceHarness::ServiceHarness(Options options) {
  backend.set_before_embed(options.before_embed);
  NetworkCatalog networks = NetworkCatalog::Load({}, &backend).value();
  models_ = std::make_unique<ServedModels>(Models{networks, LoadHeads(options.heads, networks)});
  batcher = Batcher::Create(options.batcher, &backend, &observer_).value();
  networks.PlaceAll(batcher.get());
  pipeline = Pipeline::Create(options.pipeline, &metrics).value();
  options.service.on_call = [this](const CallRecord& call) {
    MutexLock lock(&mu_);
    records_.push_back({std::string(call.method), std::string(call.config), std::string(call.request_id),
                        std::string(call.peer), std::string(call.caller), call.status, std::string(call.reason),
                        call.clips, call.audio, call.total, call.decode});
    changed_.SignalAll();
  };
  door = std::make_unique<Door>(std::move(options.access));
  options.service.door = door.get();
  service = EmbeddingServiceImpl::Create(options.service, models_.get(), pipeline.get(), &metrics).value();
  if (options.open) service->Open();
  grpc::ServerBuilder builder;
  if (options.listens) builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(service.get());
  server_ = builder.BuildAndStart();
}

inline void ServiceHarness::EndServer() {
  pipeline->BeginShutdown();
  batcher->Shutdown(absl::UnavailableError("the test has ended"));
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
}

inline std::vector<KeptRecord> ServiceHarness::WaitForRecords(size_t count) {
  MutexLock lock(&mu_);
  while (records_.size() < count) changed_.WaitUntil(&mu_, SteadyTime::InfiniteFuture());
  return records_;
}

// A sine as FLOAT32 PCM at 32 kHz.
inline v1::Audio ToneClip(double seconds, double pitch_hz = 440) {
  v1::Audio clip;
  v1::Pcm& pcm = *clip.mutable_pcm();
  pcm.set_encoding(v1::Pcm::ENCODING_FLOAT32);
  pcm.set_sample_rate_hertz(32000);
  std::string& bytes = *pcm.mutable_samples();
  bytes.resize(static_cast<size_t>(std::lround(seconds * 32000)) * 4);
  for (size_t i = 0; i < bytes.size() / 4; ++i) {
    const float sample = static_cast<float>(0.3 * std::sin(2 * M_PI * pitch_hz * static_cast<double>(i) / 32000));
    std::memcpy(&bytes[i * 4], &sample, 4);
  }
  return clip;
}

template <typename Request>
Request RequestFor(const std::vector<v1::Audio>& clips) {
  Request request;
  for (const v1::Audio& clip : clips) *request.add_clips() = clip;
  return request;
}

// What a failed call said.
struct Failure {
  grpc::Status status;
  std::string reason, field;
  std::map<std::string, std::string> facts;
  std::optional<int64_t> retry_ms;
  std::optional<std::string> pushback, request_id;
};

inline Failure Describe(const grpc::Status& status, const grpc::ClientContext& context) {
  Failure failure;
  failure.status = status;
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  for (const auto& detail : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad_request;
    google::rpc::RetryInfo retry;
    if (detail.UnpackTo(&info)) {
      failure.reason = info.reason();
      failure.facts = {info.metadata().begin(), info.metadata().end()};
    } else if (detail.UnpackTo(&bad_request)) {
      failure.field = bad_request.field_violations(0).field();
    } else if (detail.UnpackTo(&retry)) {
      failure.retry_ms = retry.retry_delay().seconds() * 1000 + retry.retry_delay().nanos() / 1000000;
    }
  }
  const auto trailer = [&](const char* key) -> std::optional<std::string> {
    const auto found = context.GetServerTrailingMetadata().find(key);
    if (found == context.GetServerTrailingMetadata().end()) return std::nullopt;
    return std::string(found->second.data(), found->second.size());
  };
  failure.pushback = trailer("grpc-retry-pushback-ms");
  failure.request_id = trailer("x-request-id");
  return failure;
}

inline Failure SceneFailure(ServiceHarness* harness, const v1::GetSceneEmbeddingsRequest& request) {
  grpc::ClientContext context;
  v1::GetSceneEmbeddingsResponse response;
  return Describe(harness->NewStub()->GetSceneEmbeddings(&context, request, &response), context);
}

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_SERVER_RPC_SERVICE_HARNESS_H_
