#include "server/server.h"

#include <prometheus/registry.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "server/address_space.h"
#include "server/admin_service.h"
#include "server/batch_timeout.h"
#include "server/calls_in_flight.h"
#include "server/check_default_config.h"
#include "server/concurrency/border.h"
#include "server/connection_metrics.h"
#include "server/engine_options.h"
#include "server/exposure.h"
#include "server/grpc_server.h"
#include "server/health_service.h"
#include "server/listening/connection_limits.h"
#include "server/load_metrics.h"
#include "server/make_door.h"
#include "server/open_inference/inference_service.h"
#include "server/pipeline/head_catalog.h"
#include "server/pipeline/metrics_observer.h"
#include "server/pipeline/pipeline.h"
#include "server/pipeline/served_models.h"
#include "server/reload.h"
#include "server/reloader.h"
#include "server/renewals.h"
#include "server/report_models.h"
#include "server/rpc/embedding_service.h"
#include "server/run_apart.h"
#include "server/service_options.h"
#include "server/telemetry/access_log.h"
#include "server/telemetry/call_log.h"
#include "server/telemetry/exposer.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"
#include "server/tls/tls_store.h"

namespace hearwire {
namespace {

// From the moment when the batcher fails what is left until such calls are given up.
constexpr absl::Duration kFarewell = absl::Seconds(1);

// While draining: how long the last answers have to reach their callers, and how often to look for calls.
constexpr absl::Duration kSettle = absl::Milliseconds(100);
constexpr absl::Duration kDrainLook = absl::Milliseconds(10);
// Likewise, how long before its end streams are told to go on elsewhere, at most.
constexpr absl::Duration kStreamsFarewell = absl::Seconds(1);

// For the access log's last lines.
constexpr absl::Duration kAccessLogFlush = absl::Milliseconds(500);

constexpr std::string_view kDeviceLost = "device lost";

absl::Status ShuttingDownError() { return absl::UnavailableError("the server is shutting down"); }

class ComposedServer final : public Server {
 public:
  ComposedServer(ServerOptions options, Exposer* exposer, const ServerSeams& seams)
      : options_(std::move(options)),
        seams_(seams),
        exposer_(exposer),
        registry_(std::make_shared<prometheus::Registry>()) {}
  ~ComposedServer() override;

  absl::Status Start();

  std::string grpc_address() const override { return FormatAddress(options_.host, grpc_.port); }
  const ServerOptions& options() const override { return options_; }
  int64_t calls_in_flight() const override { return service_->calls_in_flight(); }
  void EnterLameDuck() override {
    SetServing(false, "stopping");
    reloader_->Stop();
  }
  void Reload(std::function<void(const absl::Status&)> done) override;
  bool Drain(SteadyTime deadline) override;

 private:
  // What gRPC's health and the metrics port's /readyz say.
  void SetServing(bool serving, std::string_view state) {
    health_->SetServing(serving);
    exposer_->SetState(state);
  }
  // What callers need to get in; checked before the networks, for it takes no time.
  absl::Status OpenDoor();
  absl::Status LoadNetworks();
  absl::Status StartPipeline(const Capacity& capacity);
  // On the reloader's thread.
  absl::StatusOr<ReloadReport> ReloadFiles();
  HeadCatalogOptions HeadOptions() const {
    return {options_.heads, options_.head_mismatch == HeadMismatch::kWarn, engines_->precision()};
  }
  void OnDeviceLost(const absl::Status& status);
  void OnBatchHung(const BatchWatch::Batch& batch);
  // What Drain waits for.
  bool AnswerCalls(SteadyTime deadline);
  // Waits until no call is in flight and the last answers have had time to arrive. False: not so by the deadline.
  bool AwaitCalls(SteadyTime deadline);
  // Answers everything that is in flight.
  void FailCalls() {
    pipeline_->BeginShutdown();
    engines_->Shutdown(ShuttingDownError());
  }

  // Each uses those above it.
  ServerOptions options_;
  const ServerSeams seams_;
  Exposer* const exposer_;
  std::atomic<bool> device_lost_ = false;  // Or a batch hangs.
  const std::shared_ptr<BatchWatch> batch_watch_ = std::make_shared<BatchWatch>();
  const std::shared_ptr<prometheus::Registry> registry_;
  std::unique_ptr<AccessLog> access_log_;  // Null: none.
  std::unique_ptr<Door> door_;
  std::unique_ptr<HealthService> health_;
  CallsByPeer calls_by_peer_;
  std::unique_ptr<ConnectionMetrics> connection_metrics_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<MetricsObserver> observer_;
  std::unique_ptr<Engines> engines_;
  std::unique_ptr<ServedModels> models_;
  std::unique_ptr<LoadMetrics> load_metrics_;
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<EmbeddingServiceImpl> service_;
  std::unique_ptr<InferenceService> inference_;
  std::unique_ptr<AdminService> admin_;
  std::shared_ptr<TlsStore> tls_;  // Null: no TLS.
  ListeningServer grpc_;
  std::unique_ptr<Renewals> renewals_;
  std::unique_ptr<BatchTimeout> batch_timeout_;  // Null: none.
  std::unique_ptr<Reloader> reloader_;
};

ComposedServer::~ComposedServer() {
  if (health_ != nullptr) {
    SetServing(false, "stopped");
    health_->EndWatches();
  }
  if (pipeline_ != nullptr) FailCalls();
  if (reloader_ != nullptr) reloader_->Stop();  // For its calls are waited for.
  grpc_.listener.reset();
  if (grpc_.server != nullptr) grpc_.server->Shutdown(gpr_inf_past(GPR_CLOCK_MONOTONIC));
}

absl::Status ComposedServer::OpenDoor() {
  if (absl::Status status = CheckExposure(options_); !status.ok()) return status;
  if (!options_.access_log.empty()) {
    absl::StatusOr<std::unique_ptr<AccessLog>> log = AccessLog::Open(options_.access_log);
    if (!log.ok()) return log.status();
    access_log_ = *std::move(log);
  }
  absl::StatusOr<std::unique_ptr<Door>> door = MakeDoor(options_);
  if (!door.ok()) return door.status();
  door_ = *std::move(door);
  health_ = std::make_unique<HealthService>(
      std::vector<std::string>{v1::EmbeddingService::service_full_name(), InferenceService::Name()}, door_.get());
  if (options_.tls_cert.empty()) return absl::OkStatus();
  absl::StatusOr<std::shared_ptr<TlsStore>> tls =
      TlsStore::Create({options_.tls_cert, options_.tls_key, options_.tls_client_ca}, absl::Now());
  if (!tls.ok()) return tls.status();
  tls_ = *std::move(tls);
  Log(LogLevel::kInfo, "TLS", {{"expires", absl::FormatTime(tls_->current().expires)}});
  return absl::OkStatus();
}

absl::Status ComposedServer::LoadNetworks() {
  absl::StatusOr<std::vector<std::unique_ptr<Backend>>> backends = seams_.make_backends(options_);
  if (!backends.ok()) return backends.status();
  for (std::unique_ptr<Backend>& backend : *backends) backend = WatchBackend(std::move(backend), batch_watch_);
  absl::StatusOr<std::unique_ptr<Engines>> engines =
      Engines::Load(MakeEngineSpecs(seams_.machine, *std::move(backends), options_),
                    {.model_repository = options_.model_repository,
                     .networks = options_.networks,
                     .make_reference = seams_.make_reference,
                     .check_memory = [limit = seams_.machine.memory_bytes](int64_t bytes) {
                       return CheckMemoryForNetwork(bytes, limit);
                     }});
  if (!engines.ok()) return engines.status();
  engines_ = *std::move(engines);
  const NetworkCatalog& networks = engines_->networks();
  absl::StatusOr<HeadCatalog> heads = HeadCatalog::Load(HeadOptions(), networks);
  if (!heads.ok()) return heads.status();
  models_ = std::make_unique<ServedModels>(Models{networks, *std::move(heads)});

  LogModels(*models_->Get());
  MetricsOptions metrics = LabelsOf(networks);
  metrics.version = HEARWIRE_VERSION;
  metrics.refusals.assign(reason::kRefusals.begin(), reason::kRefusals.end());
  metrics_ = Metrics::Create(metrics, registry_);
  exposer_->Add(registry_);
  return absl::OkStatus();
}

absl::Status ComposedServer::StartPipeline(const Capacity& capacity) {
  observer_ =
      std::make_unique<MetricsObserver>(metrics_.get(), [this](const absl::Status& status) { OnDeviceLost(status); });
  if (absl::Status status = engines_->Start(observer_.get()); !status.ok()) return status;

  absl::StatusOr<std::unique_ptr<Pipeline>> pipeline =
      Pipeline::Create(MakePipelineOptions(options_, capacity), metrics_.get());
  if (!pipeline.ok()) return pipeline.status();
  pipeline_ = *std::move(pipeline);

  EmbeddingServiceOptions serving = MakeServiceOptions(options_);
  if (options_.max_connection_age > absl::ZeroDuration()) {
    // Streams begin once it serves, when the listener is there.
    serving.streams.latest_end = [this](std::string_view peer) {
      const std::optional<PeerAddress> address = ParsePeerAddress(peer);
      const auto accepted = address ? grpc_.listener->AcceptedAt(*address) : std::nullopt;
      return accepted ? *accepted + StreamsEndAtAge(options_) : SteadyTime::InfiniteFuture();
    };
  }
  serving.calls_by_peer = &calls_by_peer_;
  serving.precision = engines_->precision();
  serving.door = door_.get();
  serving.on_call = [slow_call = options_.slow_call, access_log = access_log_.get(),
                     exposer = exposer_](const CallRecord& call) {
    // A line for which there is no memory is left out.
    (void)Contain([&] {
      LogCall(call, slow_call);
      exposer->OnCall(call, absl::Now());
      if (access_log != nullptr) access_log->Write(call, absl::Now());
    });
  };
  absl::StatusOr<std::unique_ptr<EmbeddingServiceImpl>> service =
      EmbeddingServiceImpl::Create(serving, models_.get(), pipeline_.get(), metrics_.get());
  if (!service.ok()) return service.status();
  service_ = *std::move(service);
  inference_ = std::make_unique<InferenceService>(serving, models_.get(), service_->intake(), pipeline_.get());
  admin_ = std::make_unique<AdminService>(service_->intake(),
                                          [this](Reloader::Done done) { reloader_->Request(std::move(done)); });
  return absl::OkStatus();
}

void ComposedServer::Reload(std::function<void(const absl::Status&)> done) {
  reloader_->Request([done = std::move(done)](const absl::StatusOr<ReloadReport>& report) { done(report.status()); });
}

absl::StatusOr<ReloadReport> ComposedServer::ReloadFiles() {
  return hearwire::Reload({.engines = engines_.get(),
                           .models = models_.get(),
                           .heads = HeadOptions(),
                           .default_config = options_.default_config,
                           .self_test = seams_.self_test,
                           .renewals = renewals_.get(),
                           .metrics = metrics_.get()});
}

absl::Status ComposedServer::Start() {
  const SteadyTime started = SteadyTime::Now();
  // Before anything is loaded, which takes long.
  if (absl::Status status = CheckDefaultConfig(options_); !status.ok()) return status;
  if (absl::Status status = OpenDoor(); !status.ok()) return status;
  if (absl::Status status = LoadNetworks(); !status.ok()) return status;

  FillFromMachine(seams_.machine, engines_->InUse().back().device, &options_);
  if (absl::Status status = CheckMaxConnections(options_.max_connections, seams_.machine.descriptors); !status.ok()) {
    return status;
  }
  const Capacity capacity = DeriveCapacity(seams_.machine, options_);
  Log(LogLevel::kInfo, "options", DescribeOptions(options_));
  Log(LogLevel::kInfo, "machine",
      {{"cpus", seams_.machine.cpus},
       {"memory_bytes", seams_.machine.memory_bytes},
       {"descriptors", seams_.machine.descriptors},
       {"threads", seams_.machine.threads},
       {"preparation_threads", capacity.preparation_threads},
       {"message_memory_bytes", capacity.message_memory_bytes},
       {"pipeline_memory_bytes", capacity.pipeline_memory_bytes}});
  if (absl::Status status = StartPipeline(capacity); !status.ok()) return status;
  if (absl::Status status = CheckAddressSpaceToServe(); !status.ok()) return status;
  connection_metrics_ = std::make_unique<ConnectionMetrics>(registry_.get());
  const ConnectionSinks sinks = {.calls = &calls_by_peer_,
                                 .events = connection_metrics_.get(),
                                 .is_exempt = [this](std::string_view address) { return door_->TrustsProxy(address); },
                                 .memory_bytes = seams_.machine.memory_bytes};
  absl::StatusOr<ListeningServer> grpc =
      StartGrpcServer(options_, capacity, {service_.get(), inference_.get(), admin_.get(), health_.get()}, tls_, sinks);
  if (!grpc.ok()) return grpc.status();
  grpc_ = *std::move(grpc);

  Log(LogLevel::kInfo, "listening; testing before serving", {{"grpc", grpc_address()}});
  if (const auto warning = WarnOfExposure(options_)) Log(LogLevel::kWarning, *warning, {{"grpc", grpc_address()}});
  const absl::StatusOr<SelfTestReport> tested = engines_->Test(seams_.self_test);
  if (!tested.ok()) return tested.status();
  LogEngines(*engines_);
  metrics_->OnPlaced(PlacedNetworks(*engines_));
  load_metrics_ = std::make_unique<LoadMetrics>(engines_.get(), exposer_);
  renewals_ = std::make_unique<Renewals>(tls_.get(), door_->tokens(), access_log_.get());
  reloader_ = std::make_unique<Reloader>([this] { return ReloadFiles(); });
  service_->Open();
  SetServing(true, "serving");
  if (device_lost_) SetServing(false, kDeviceLost);
  if (options_.batch_timeout > absl::ZeroDuration()) {
    batch_timeout_ = std::make_unique<BatchTimeout>(batch_watch_, options_.batch_timeout,
                                                    [this](const BatchWatch::Batch& batch) { OnBatchHung(batch); });
  }
  Log(LogLevel::kInfo, "serving",
      {{"grpc", grpc_address()},
       {"metrics", exposer_->address()},
       {"self_test_error", tested->LargestError()},
       {"start_seconds", SteadyTime::Now() - started}});
  return absl::OkStatus();
}

void ComposedServer::OnDeviceLost(const absl::Status& status) {
  device_lost_ = true;
  SetServing(false, kDeviceLost);
  Log(LogLevel::kError, "device lost", {{"error", status}});
  if (seams_.on_device_lost) seams_.on_device_lost();
}

void ComposedServer::OnBatchHung(const BatchWatch::Batch& batch) {
  device_lost_ = true;
  SetServing(false, "a batch hangs");
  Log(LogLevel::kError, "a batch hangs: ending",
      {{"network", engines_->NetworkName(batch.device, batch.network)},
       {"device", batch.device},
       {"windows", batch.windows},
       {"seconds", SteadyTime::Now() - batch.since}});
  if (seams_.on_batch_hung) seams_.on_batch_hung();
}

bool ComposedServer::AwaitCalls(SteadyTime deadline) {
  SteadyTime last_seen = SteadyTime::Now();
  while (true) {
    const SteadyTime now = SteadyTime::Now();
    if (service_->calls_in_flight() > 0) {
      last_seen = now;
    } else if (now >= last_seen + kSettle && CountCallsInFlight() == 0) {
      return true;
    }
    if (now >= deadline) return false;
    absl::SleepFor(std::min(kDrainLook, deadline - now));
  }
}

bool ComposedServer::Drain(SteadyTime deadline) {
  const bool all_answered = AnswerCalls(deadline);
  if (access_log_ != nullptr) access_log_->Flush(SteadyTime::Now() + kAccessLogFlush);
  return all_answered;
}

bool ComposedServer::AnswerCalls(SteadyTime deadline) {
  SetServing(false, device_lost_ ? kDeviceLost : "stopping");
  reloader_->Stop();
  health_->EndWatches();
  grpc_.listener->StopListening();
  service_->BeginDrain(std::max<int64_t>(0, CountCallsInFlight() - service_->calls_in_flight()));
  // Streams that are left have a moment to tell their clients where to go on.
  const absl::Duration left = std::max(deadline - SteadyTime::Now(), absl::ZeroDuration());
  if (AwaitCalls(deadline - std::min(kStreamsFarewell, left / 4))) return true;
  service_->EndStreams();
  if (AwaitCalls(deadline)) return true;
  const int64_t taken = service_->calls_in_flight();
  const int64_t arriving = CountCallsInFlight() - taken;
  if (taken > 0) {
    Log(LogLevel::kWarning, "drain deadline: failing the calls that are left", {{"calls", taken}});
  } else if (arriving > 0) {
    Log(LogLevel::kInfo, "drain deadline: leaving requests that are still arriving", {{"calls", arriving}});
  }
  service_->CancelStreams();
  // On a thread of its own, which is left behind when a batch does not end.
  const auto failed = RunApart([this] { FailCalls(); });
  const SteadyTime end = SteadyTime::Now() + kFarewell;
  while (service_->calls_in_flight() > 0 && SteadyTime::Now() < end) absl::SleepFor(kDrainLook);
  if (service_->calls_in_flight() == 0 && (failed == nullptr || failed->WaitUntil(end))) return true;
  Log(LogLevel::kWarning, "some calls did not end", {{"calls", service_->calls_in_flight()}});
  return false;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Create(ServerOptions options, Exposer* exposer,
                                                       const ServerSeams& seams) {
  auto server = std::make_unique<ComposedServer>(std::move(options), exposer, seams);
  if (const absl::Status status = server->Start(); !status.ok()) return status;
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace hearwire
