#include "server/telemetry/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "server/telemetry/caller_metrics.h"

namespace hearwire {
namespace {

using ::prometheus::BuildCounter;
using ::prometheus::BuildGauge;
using ::prometheus::BuildHistogram;
using ::prometheus::Counter;
using ::prometheus::Family;
using ::prometheus::Gauge;
using ::prometheus::Histogram;

constexpr std::string_view kUnknown = "unknown";

// Codes that requests usually end with: their counters exist from the first call of a method and config on, as do those
// of every code that happens.
constexpr std::array kUsualCodes = {
    absl::StatusCode::kOk,          absl::StatusCode::kInvalidArgument,  absl::StatusCode::kResourceExhausted,
    absl::StatusCode::kUnavailable, absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kCancelled,
    absl::StatusCode::kInternal,
};
// Those of calls that name a config which is not loaded.
constexpr std::array kUnknownCodes = {absl::StatusCode::kNotFound, absl::StatusCode::kFailedPrecondition};
constexpr std::array kConfigMethods = {std::string_view("GetSceneEmbeddings"),
                                       std::string_view("GetTimestampEmbeddings"),
                                       std::string_view("StreamEmbeddings")};
constexpr std::string_view kClassify = "Classify";
constexpr std::string_view kModelInfer = "ModelInfer";  // Of configs and networks.
constexpr std::array kNetworkMethods = {std::string_view("GetTags"), kClassify};
constexpr std::array kListMethods = {
    std::string_view("ListConfigs"),     std::string_view("ListHeads"),   std::string_view("ServerLive"),
    std::string_view("ServerReady"),     std::string_view("ModelReady"),  std::string_view("ServerMetadata"),
    std::string_view("ModelMetadata"),   std::string_view("ModelConfig"), std::string_view("ModelStatistics"),
    std::string_view("RepositoryIndex"), std::string_view("Reload")};
constexpr std::array kStages = {std::string_view("decode"), std::string_view("queue"), std::string_view("inference")};

std::vector<std::string> Both(std::vector<std::string> some, const std::vector<std::string>& others) {
  some.insert(some.end(), others.begin(), others.end());
  return some;
}

Histogram::BucketBoundaries DurationBuckets() {
  return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};
}
Histogram::BucketBoundaries WindowBuckets() { return {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048}; }
Histogram::BucketBoundaries CallBuckets() { return {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64}; }
Histogram::BucketBoundaries FrameBuckets() { return {17, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768}; }

using MethodConfig = std::pair<std::string, std::string>;

class PrometheusMetrics final : public Metrics {
 public:
  PrometheusMetrics(const MetricsOptions& options, std::shared_ptr<prometheus::Registry> registry);

  void OnPlaced(const std::vector<PlacedNetwork>& networks) override;
  void OnLoaded(const std::vector<std::string>& configs, const std::vector<std::string>& networks) override;
  void OnReload(bool ok) override { (ok ? reloads_ok_ : reloads_refused_)->Increment(); }
  void OnCall(std::string_view method, std::string_view config, absl::StatusCode code, absl::Duration total) override;
  void OnRows(absl::Duration queued, absl::Duration inference) override {
    queue_duration_->Observe(absl::ToDoubleSeconds(queued));
    inference_duration_->Observe(absl::ToDoubleSeconds(inference));
  }
  void OnBatch(int windows, int calls, int64_t frames) override {
    batch_windows_->Observe(windows);
    batch_calls_->Observe(calls);
    batch_frames_->Observe(static_cast<double>(frames));
  }
  void OnPendingFrames(int64_t frames) override { pending_frames_->Set(static_cast<double>(frames)); }
  void OnHeld(int64_t calls, int64_t bytes) override {
    calls_in_flight_->Set(static_cast<double>(calls));
    reserved_bytes_->Set(static_cast<double>(bytes));
  }
  void OnStreams(int64_t open) override { open_streams_->Set(static_cast<double>(open)); }
  void OnRejected(std::string_view reason) override;
  void OnCancelled(std::string_view stage) override {
    const auto found = cancelled_.find(stage);
    if (found != cancelled_.end()) found->second->Increment();
  }
  void OnAudio(absl::Duration audio) override { audio_seconds_->Increment(absl::ToDoubleSeconds(audio)); }
  void OnCaller(std::string_view caller, bool is_named, absl::Duration audio, absl::Duration cpu) override {
    callers_.OnCall(caller, is_named, audio, cpu);
  }

 private:
  // What one method and config count, made by the first call: a server may have a hundred of them, most of which nobody
  // ever asks for. Counters of codes beside the usual ones are made when they first happen: there are seventeen codes
  // in all.
  struct CallCounters {
    std::atomic<bool> loaded = true;  // The config or network. False: its calls count as unknown.
    std::once_flag made;
    std::map<absl::StatusCode, Counter*> by_code;
    Histogram* duration = nullptr;
  };

  // Nothing is counted yet. told: whether the counter of OK exists nevertheless.
  void AddCallCounters(std::string_view method, std::string_view config, bool told);
  void SetLoaded(std::string_view method, const std::vector<std::string>& loaded);
  void MakeCallCounters(const MethodConfig& key, CallCounters* counters);

  // Constant after construction; the families lock for themselves.
  const std::shared_ptr<prometheus::Registry> registry_;
  const std::string version_;
  Family<Gauge>* build_info_;
  Family<Gauge>* network_info_;
  Counter* reloads_ok_;
  Counter* reloads_refused_;
  Family<Counter>* requests_;
  Family<Histogram>* request_duration_;
  Family<Counter>* rejected_;
  std::map<std::string, Counter*, std::less<>> cancelled_;
  std::map<std::string, Counter*, std::less<>> rejected_usual_;
  Histogram* queue_duration_;
  Histogram* inference_duration_;
  Histogram* batch_windows_;
  Histogram* batch_calls_;
  Histogram* batch_frames_;
  Gauge* pending_frames_;
  Gauge* calls_in_flight_;
  Gauge* reserved_bytes_;
  Gauge* open_streams_;
  Counter* audio_seconds_;
  CallerMetrics callers_;

  // Entries come and stay: an operator's reload may bring names that nobody knew.
  std::shared_mutex calls_mu_;
  std::map<MethodConfig, CallCounters> calls_;  // Which there are is guarded by calls_mu_.

  std::mutex placed_mu_;
  std::map<prometheus::Labels, Gauge*> placed_;  // Guarded by placed_mu_: the gauges of network_info_.
};

template <typename Buckets>
Histogram* AddHistogram(prometheus::Registry& registry, const char* name, const char* help, Buckets buckets) {
  return &BuildHistogram().Name(name).Help(help).Register(registry).Add({}, std::move(buckets));
}

PrometheusMetrics::PrometheusMetrics(const MetricsOptions& options, std::shared_ptr<prometheus::Registry> registry)
    : registry_(std::move(registry)), version_(options.version), callers_(options.max_callers, registry_.get()) {
  prometheus::Registry& all = *registry_;
  build_info_ = &BuildGauge().Name("hearwire_build_info").Help("Always 1; the labels say what runs.").Register(all);
  network_info_ =
      &BuildGauge().Name("hearwire_network_info").Help("Always 1; the labels say what runs the network.").Register(all);
  requests_ = &BuildCounter().Name("hearwire_requests_total").Help("Calls answered, by gRPC code.").Register(all);
  request_duration_ = &BuildHistogram()
                           .Name("hearwire_request_duration_seconds")
                           .Help("From the arrival of the whole request to the reply.")
                           .Register(all);
  for (const std::string_view method : kConfigMethods) {
    for (const std::string& config : options.configs) AddCallCounters(method, config, true);
    for (const std::string& config : options.known_configs) AddCallCounters(method, config, false);
    AddCallCounters(method, kUnknown, false);
  }
  for (const std::string_view method : kNetworkMethods) {
    for (const std::string& network : options.networks) AddCallCounters(method, network, true);
    for (const std::string& network : options.known_networks) AddCallCounters(method, network, false);
    AddCallCounters(method, kUnknown, false);
  }
  AddCallCounters(kClassify, kSeveralNetworks, false);
  for (const auto* names : {&options.configs, &options.networks}) {
    for (const std::string& name : *names) AddCallCounters(kModelInfer, name, true);
  }
  for (const auto* names : {&options.known_configs, &options.known_networks}) {
    for (const std::string& name : *names) AddCallCounters(kModelInfer, name, false);
  }
  AddCallCounters(kModelInfer, kUnknown, false);
  for (const std::string_view method : kListMethods) AddCallCounters(method, "", true);
  for (const std::string_view method : kConfigMethods) SetLoaded(method, options.configs);
  for (const std::string_view method : kNetworkMethods) SetLoaded(method, options.networks);
  SetLoaded(kModelInfer, Both(options.configs, options.networks));
  AddCallCounters(kUnknown, kUnknown, false);

  queue_duration_ =
      AddHistogram(all, "hearwire_queue_duration_seconds",
                   "The longest time that one of a call's windows waited for a batch.", DurationBuckets());
  inference_duration_ = AddHistogram(all, "hearwire_inference_duration_seconds",
                                     "Sum over the batches that held a call's windows.", DurationBuckets());
  batch_windows_ = AddHistogram(all, "hearwire_batch_windows", "Windows in a batch.", WindowBuckets());
  batch_calls_ = AddHistogram(all, "hearwire_batch_calls", "Calls that shared a batch.", CallBuckets());
  batch_frames_ = AddHistogram(all, "hearwire_batch_frames", "Spectrogram frames in a batch.", FrameBuckets());
  calls_in_flight_ = &BuildGauge()
                          .Name("hearwire_calls_in_flight")
                          .Help("Calls and streams that were let in and whose answers have not left.")
                          .Register(all)
                          .Add({});
  reserved_bytes_ = &BuildGauge()
                         .Name("hearwire_reserved_bytes")
                         .Help("Memory that is reserved for those calls.")
                         .Register(all)
                         .Add({});
  open_streams_ = &BuildGauge().Name("hearwire_open_streams").Help("Streams that are open now.").Register(all).Add({});
  pending_frames_ = &BuildGauge()
                         .Name("hearwire_pending_frames")
                         .Help("Spectrogram frames that wait for a batch.")
                         .Register(all)
                         .Add({});
  rejected_ = &BuildCounter().Name("hearwire_rejected_total").Help("Calls refused, by reason.").Register(all);
  for (const std::string& reason : options.refusals) rejected_usual_[reason] = &rejected_->Add({{"reason", reason}});
  Family<Counter>& cancelled = BuildCounter()
                                   .Name("hearwire_cancelled_total")
                                   .Help("Calls given up because nobody waited for them any more, by stage.")
                                   .Register(all);
  for (const std::string_view stage : kStages) {
    cancelled_[std::string(stage)] = &cancelled.Add({{"stage", std::string(stage)}});
  }
  Family<Counter>& reloads = BuildCounter()
                                 .Name("hearwire_reloads_total")
                                 .Help("Times that files were read again while the server serves.")
                                 .Register(all);
  reloads_ok_ = &reloads.Add({{"result", "ok"}});
  reloads_refused_ = &reloads.Add({{"result", "refused"}});
  audio_seconds_ = &BuildCounter()
                        .Name("hearwire_audio_seconds_total")
                        .Help("Decoded audio of the calls that were answered.")
                        .Register(all)
                        .Add({});
}

void PrometheusMetrics::AddCallCounters(std::string_view method, std::string_view config, bool told) {
  calls_.try_emplace({std::string(method), std::string(config)});
  if (told) requests_->Add({{"method", std::string(method)}, {"config", std::string(config)}, {"code", "OK"}});
}

void PrometheusMetrics::MakeCallCounters(const MethodConfig& key, CallCounters* counters) {
  const std::string& method = key.first;
  const std::string& config = key.second;
  const auto add = [&](absl::StatusCode code) {
    counters->by_code[code] =
        &requests_->Add({{"method", method}, {"config", config}, {"code", absl::StatusCodeToString(code)}});
  };
  if (config == kUnknown) {
    for (const absl::StatusCode code : kUnknownCodes) add(code);
  } else {
    for (const absl::StatusCode code : kUsualCodes) add(code);
  }
  counters->duration = &request_duration_->Add({{"method", method}, {"config", config}}, DurationBuckets());
}

void PrometheusMetrics::SetLoaded(std::string_view method, const std::vector<std::string>& loaded) {
  for (const std::string& name : loaded) calls_.try_emplace({std::string(method), name});
  for (auto& [key, counters] : calls_) {
    if (key.first != method || key.second == kUnknown || key.second == kSeveralNetworks) continue;
    const bool is_loaded = std::find(loaded.begin(), loaded.end(), key.second) != loaded.end();
    if (is_loaded) requests_->Add({{"method", key.first}, {"config", key.second}, {"code", "OK"}});
    counters.loaded.store(is_loaded);
  }
}

void PrometheusMetrics::OnLoaded(const std::vector<std::string>& configs, const std::vector<std::string>& networks) {
  const std::unique_lock lock(calls_mu_);
  for (const std::string_view method : kConfigMethods) SetLoaded(method, configs);
  for (const std::string_view method : kNetworkMethods) SetLoaded(method, networks);
  SetLoaded(kModelInfer, Both(configs, networks));
}

void PrometheusMetrics::OnPlaced(const std::vector<PlacedNetwork>& networks) {
  const std::lock_guard lock(placed_mu_);
  auto gone = std::exchange(placed_, {});
  for (const PlacedNetwork& placed : networks) {
    prometheus::Labels labels = {
        {"backend", placed.backend}, {"device", placed.device}, {"precision", placed.precision}};
    labels["network"] = placed.network;
    Gauge& gauge = network_info_->Add(labels);
    gauge.Set(1);
    placed_[labels] = &gauge;
    gone.erase(labels);
    labels.erase("network");
    labels["version"] = version_;
    build_info_->Add(labels).Set(1);  // The same one again for networks of one backend.
  }
  for (const auto& [labels, gauge] : gone) network_info_->Remove(gauge);
}

void PrometheusMetrics::OnCall(std::string_view method, std::string_view config, absl::StatusCode code,
                               absl::Duration total) {
  const bool lists = std::find(kListMethods.begin(), kListMethods.end(), method) != kListMethods.end();
  MethodConfig key{method, lists ? std::string_view() : config};
  std::shared_lock lock(calls_mu_);
  auto found = calls_.find(key);
  if (found == calls_.end() || !found->second.loaded.load()) {
    key.second = kUnknown;
    found = calls_.find(key);
  }
  if (found == calls_.end()) {
    key.first = kUnknown;
    found = calls_.find(key);
  }
  lock.unlock();
  CallCounters& counters = found->second;
  std::call_once(counters.made, [&] { MakeCallCounters(found->first, &counters); });
  counters.duration->Observe(absl::ToDoubleSeconds(total));
  const auto usual = counters.by_code.find(code);
  if (usual != counters.by_code.end()) {
    usual->second->Increment();
  } else {
    requests_->Add({{"method", key.first}, {"config", key.second}, {"code", absl::StatusCodeToString(code)}})
        .Increment();
  }
}

void PrometheusMetrics::OnRejected(std::string_view reason) {
  const auto found = rejected_usual_.find(reason);
  // Reasons are constants of the program: there are few.
  (found != rejected_usual_.end() ? *found->second : rejected_->Add({{"reason", std::string(reason)}})).Increment();
}

}  // namespace

std::unique_ptr<Metrics> Metrics::Create(const MetricsOptions& options,
                                         std::shared_ptr<prometheus::Registry> registry) {
  return std::make_unique<PrometheusMetrics>(options, std::move(registry));
}

}  // namespace hearwire
