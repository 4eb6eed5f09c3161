#include "server/engines/engines.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/concurrency/border.h"
#include "server/concurrency/mutex.h"
#include "server/engines/embedding_rate.h"
#include "server/engines/engine.h"
#include "server/engines/placement.h"
#include "server/telemetry/log.h"

namespace hearwire {
namespace {

// Of the windows that timestamps have.
constexpr int kWindowSamples = 5120;

class PlacedEngines final : public Engines {
 public:
  explicit PlacedEngines(std::vector<EngineSpec> specs);
  ~PlacedEngines() override {
    Shutdown(absl::UnavailableError("the engines have ended"));
    for (const Engine& engine : engines_) {
      if (engine.returns != nullptr) engine.returns->Close();
    }
  }

  absl::Status LoadNetworks(const NetworkCatalogOptions& options);
  absl::Status PlaceByTrial(absl::Duration trial);

  const NetworkCatalog& networks() const override { return *networks_; }
  std::string precision() const override { return engines_.back().backend->precision(); }
  absl::Status Start(BatchObserver* observer) override;
  absl::StatusOr<SelfTestReport> Test(const SelfTest& self_test) override;
  absl::StatusOr<NetworkCatalog> LoadAgain(const SelfTest& self_test) override;
  void Adopt(const NetworkCatalog& networks) override;
  std::string NetworkName(std::string_view device, int index) const override;
  std::vector<EngineInfo> InUse() const override;
  std::vector<EngineLoad> Loads() const override;
  void Shutdown(const absl::Status& status) override;

 private:
  bool IsLast(size_t engine) const { return engine + 1 == engines_.size(); }
  bool HasNetworks(size_t engine) const { return std::find(places_.begin(), places_.end(), engine) != places_.end(); }

  absl::StatusOr<AddedNetwork> AddNetwork(const NetworkInfo& info,
                                          const std::shared_ptr<const NetworkWeights>& weights);
  // The engine that runs all networks; null when several run some.
  Engine* SoleEngine();
  absl::StatusOr<AddedNetwork> AddLater(const NetworkInfo& info, const std::shared_ptr<const NetworkWeights>& weights);
  void Name(const Engine& engine, int index, const NetworkInfo& info) ABSL_LOCKS_EXCLUDED(names_mu_);
  absl::Status Try(Engine* engine, absl::Duration trial, std::vector<std::optional<EngineRate>>* rates);
  void LogPlacement(const std::vector<NetworkRates>& rates) const;
  void LetIdleGo();
  absl::Status StartEngine(size_t engine);
  absl::StatusOr<SelfTestReport> TestEngine(size_t engine, const SelfTest& self_test);
  // OK: the last engine makes up for it. Else what to say of the last one's failure.
  absl::Status GiveUp(size_t engine, const absl::Status& why);

  std::vector<Engine> engines_;
  NetworkCatalogOptions options_;
  std::unique_ptr<NetworkCatalog> networks_;
  std::vector<size_t> places_;  // The engine of each network.
  BatchObserver* observer_ = nullptr;

  mutable Mutex names_mu_;
  std::map<std::pair<std::string, int>, std::string> names_ ABSL_GUARDED_BY(names_mu_);  // By device and index.
};

PlacedEngines::PlacedEngines(std::vector<EngineSpec> specs) {
  const auto queued_frames = std::make_shared<QueuedFrames>();
  for (EngineSpec& spec : specs) {
    spec.batching.queued_frames = queued_frames;
    auto returns = std::make_shared<NetworkReturns>();
    returns->set_backend(spec.backend.get());
    engines_.push_back(
        {.backend = std::move(spec.backend), .batching = std::move(spec.batching), .returns = std::move(returns)});
  }
}

absl::Status PlacedEngines::GiveUp(size_t number, const absl::Status& why) {
  Engine& engine = engines_[number];
  if (IsLast(number)) {
    const std::string device = engine.backend->device();
    if (device == "cpu") return why;
    return absl::Status(why.code(), absl::StrCat("the device ", device, " cannot be used: ", why.message(),
                                                 "; --device=cpu does without it"));
  }
  Log(LogLevel::kWarning, "a device cannot be used: its networks run on another",
      {{"device", engine.backend->device()}, {"instead", engines_.back().backend->device()}, {"error", why}});
  for (size_t& place : places_) {
    if (place == number) place = engines_.size() - 1;
  }
  Retire(std::exchange(engine, {}));
  return absl::OkStatus();
}

absl::Status PlacedEngines::LoadNetworks(const NetworkCatalogOptions& options) {
  const auto add = [this](const auto& info, const auto& weights) { return AddNetwork(info, weights); };
  absl::StatusOr<NetworkCatalog> networks = NetworkCatalog::Load(options, add);
  if (!networks.ok()) return networks.status();
  options_ = options;
  networks_ = std::make_unique<NetworkCatalog>(*std::move(networks));
  places_.assign(networks_->networks().size(), engines_.size() - 1);
  return absl::OkStatus();
}

absl::StatusOr<AddedNetwork> PlacedEngines::AddNetwork(const NetworkInfo& info,
                                                       const std::shared_ptr<const NetworkWeights>& weights) {
  const auto held = std::make_shared<HeldNetwork>();
  for (size_t i = 0; i < engines_.size(); ++i) {
    Engine& engine = engines_[i];
    if (engine.backend == nullptr) continue;
    const absl::StatusOr<int> index = engine.backend->AddNetwork(weights, info.mel);
    if (!index.ok() && (IsLast(i) || !absl::IsResourceExhausted(index.status()))) {
      if (absl::Status status = GiveUp(i, index.status()); !status.ok()) return status;
      continue;
    }
    engine.indices.push_back(index.ok() ? *index : -1);
    engine.shortages.push_back(index.status());
    if (!index.ok()) continue;
    held->Add(engine.returns, *index);
    Name(engine, *index, info);
  }
  return AddedNetwork{engines_.back().indices.back(), held};
}

Engine* PlacedEngines::SoleEngine() {
  Engine* sole = nullptr;
  for (Engine& engine : engines_) {
    if (engine.batcher == nullptr) continue;
    if (sole != nullptr) return nullptr;
    sole = &engine;
  }
  return sole;
}

absl::StatusOr<AddedNetwork> PlacedEngines::AddLater(const NetworkInfo& info,
                                                     const std::shared_ptr<const NetworkWeights>& weights) {
  Engine* const engine = SoleEngine();
  if (engine == nullptr) {
    return absl::FailedPreconditionError(
        "networks run on several devices here, and are placed when the server starts: restart it for another one");
  }
  if (!engine->backend->networks_may_come_later()) {
    return absl::FailedPreconditionError(absl::StrCat("the backend ", engine->backend->name(),
                                                      " takes no other networks while it runs: restart the server"));
  }
  const absl::StatusOr<int> index = engine->backend->AddNetwork(weights, info.mel);
  if (!index.ok()) return index.status();
  const auto held = std::make_shared<HeldNetwork>();
  held->Add(engine->returns, *index);
  Name(*engine, *index, info);
  return AddedNetwork{*index, held};
}

absl::StatusOr<NetworkCatalog> PlacedEngines::LoadAgain(const SelfTest& self_test) {
  NetworkCatalogOptions options = options_;
  options.served = networks_.get();
  const auto add = [this](const auto& info, const auto& weights) { return AddLater(info, weights); };
  absl::StatusOr<NetworkCatalog> again = NetworkCatalog::Load(options, add);
  if (!again.ok()) return again;
  const NetworkCatalog added = again->Without(*networks_);
  // One at a time, so that a failure is one file's.
  for (const std::shared_ptr<LoadedNetwork>& network : added.networks()) {
    Engine* const engine = SoleEngine();
    network->batcher = engine->batcher.get();
    const absl::Status tested =
        self_test(NetworkCatalog::Of(network), engine->backend->precision(), network->batcher).status();
    if (!tested.ok()) return absl::Status(tested.code(), absl::StrCat(network->source, ": ", tested.message()));
  }
  return again;
}

void PlacedEngines::Adopt(const NetworkCatalog& networks) {
  places_.clear();
  for (const std::shared_ptr<LoadedNetwork>& network : networks.networks()) {
    const auto engine = std::find_if(engines_.begin(), engines_.end(), [&](const Engine& candidate) {
      return candidate.batcher != nullptr && candidate.batcher.get() == network->batcher;
    });
    places_.push_back(static_cast<size_t>(engine - engines_.begin()));
  }
  *networks_ = networks;
}

void PlacedEngines::Name(const Engine& engine, int index, const NetworkInfo& info) {
  MutexLock lock(&names_mu_);
  names_[{engine.backend->device(), index}] = std::string(info.name);
}

std::string PlacedEngines::NetworkName(std::string_view device, int index) const {
  MutexLock lock(&names_mu_);
  const auto found = names_.find({std::string(device), index});
  return found == names_.end() ? "?" : found->second;
}

absl::Status PlacedEngines::Try(Engine* engine, absl::Duration trial, std::vector<std::optional<EngineRate>>* rates) {
  const absl::StatusOr<std::unique_ptr<Embedder>> embedder = engine->backend->NewEmbedder();
  if (!embedder.ok()) return embedder.status();
  // Workers of a CPU compute beside each other; those of another device share it.
  const double workers = engine->backend->device() == "cpu" ? engine->batching.workers : 1;
  for (size_t i = 0; i < engine->indices.size(); ++i) {
    if (engine->indices[i] < 0) continue;
    const LoadedNetwork& network = *networks_->networks()[i];
    RateTrial asked{.network = engine->indices[i],
                    .shape = network.shape,
                    .mel = network.info->mel,
                    .window_samples = kWindowSamples,
                    .max_batch_frames = engine->batching.queue.max_batch_frames,
                    .limit = trial / 2};
    absl::StatusOr<double> windows = MeasureEmbeddingRate(embedder->get(), asked);
    asked.window_samples = kSceneWindowSamples;
    absl::StatusOr<double> scenes = windows.ok() ? MeasureEmbeddingRate(embedder->get(), asked) : windows;
    engine->shortages[i] = scenes.status();
    if (scenes.ok()) {
      (*rates)[i] = {.windows_per_second = workers * *windows, .scenes_per_second = workers * *scenes};
    } else if (!absl::IsResourceExhausted(scenes.status())) {
      return scenes.status();
    }
  }
  return absl::OkStatus();
}

absl::Status PlacedEngines::PlaceByTrial(absl::Duration trial) {
  std::vector<NetworkRates> rates(places_.size(), NetworkRates(engines_.size()));
  bool alone = true;
  for (size_t i = 0; i < engines_.size(); ++i) {
    if (engines_[i].backend == nullptr || (alone && IsLast(i))) continue;
    std::vector<std::optional<EngineRate>> of_engine(places_.size());
    absl::Status status;
    engines_[i].backend->PrepareFor({});  // The trial prepares for what it measures by itself.
    // An embedder is one thread's.
    const auto attempt = [&] { return Try(&engines_[i], trial, &of_engine); };
    std::thread([&] { status = Contain(attempt); }).join();
    const bool runs_any =
        std::any_of(of_engine.begin(), of_engine.end(), [](const auto& rate) { return rate.has_value(); });
    if (status.ok() && !runs_any && !IsLast(i)) status = engines_[i].shortages.front();
    if (!status.ok()) {
      if (status = GiveUp(i, status); !status.ok()) return status;
      continue;
    }
    alone = false;
    for (size_t network = 0; network < rates.size(); ++network) rates[network][i] = of_engine[network];
  }
  if (alone) return absl::OkStatus();
  places_ = PlaceNetworks(rates);
  LogPlacement(rates);
  LetIdleGo();
  return absl::OkStatus();
}

// A device's memory is for others when nothing runs there. The last engine stays: it runs whatever the others do not.
void PlacedEngines::LetIdleGo() {
  for (size_t i = 0; i < engines_.size(); ++i) {
    if (engines_[i].backend == nullptr || HasNetworks(i) || IsLast(i)) continue;
    Log(LogLevel::kInfo, "a device is let go: no network runs on it", {{"device", engines_[i].backend->device()}});
    Retire(std::exchange(engines_[i], {}));
  }
}

void PlacedEngines::LogPlacement(const std::vector<NetworkRates>& rates) const {
  for (size_t i = 0; i < places_.size(); ++i) {
    std::vector<std::string> windows, scenes, shortages;
    for (size_t engine = 0; engine < engines_.size(); ++engine) {
      if (engines_[engine].backend == nullptr) continue;
      const std::string device = engines_[engine].backend->device();
      const std::optional<EngineRate>& rate = rates[i][engine];
      const auto text = [&](double value) { return absl::StrCat(device, " ", static_cast<int64_t>(value)); };
      windows.push_back(rate ? text(rate->windows_per_second) : device + " too little memory");
      scenes.push_back(rate ? text(rate->scenes_per_second) : device + " too little memory");
      if (!rate) shortages.push_back(absl::StrCat(device, ": ", engines_[engine].shortages[i].message()));
    }
    std::vector<LogField> fields = {{"network", networks_->networks()[i]->info->name},
                                    {"device", engines_[places_[i]].backend->device()},
                                    {"windows_per_second", absl::StrJoin(windows, ", ")},
                                    {"scenes_per_second", absl::StrJoin(scenes, ", ")}};
    if (!shortages.empty()) fields.emplace_back("too_little_memory", absl::StrJoin(shortages, "; "));
    Log(LogLevel::kInfo, "network placed where it is faster", fields);
  }
}

absl::Status PlacedEngines::StartEngine(size_t number) {
  Engine& engine = engines_[number];
  if (engine.batcher == nullptr) {
    std::vector<int> placed;
    for (size_t i = 0; i < places_.size(); ++i) {
      if (places_[i] == number) placed.push_back(engine.indices[i]);
    }
    engine.backend->PrepareFor(placed);
    engine.observer = std::make_unique<TrialObserver>(observer_, !IsLast(number));
    absl::StatusOr<std::unique_ptr<Batcher>> batcher =
        Batcher::Create(engine.batching, engine.backend.get(), engine.observer.get());
    if (!batcher.ok()) return batcher.status();
    engine.batcher = *std::move(batcher);
    engine.returns->set_batcher(engine.batcher.get());
  }
  for (size_t i = 0; i < places_.size(); ++i) {
    if (places_[i] == number) networks_->Place(i, engine.indices[i], engine.batcher.get());
  }
  return absl::OkStatus();
}

absl::Status PlacedEngines::Start(BatchObserver* observer) {
  observer_ = observer;
  for (size_t i = 0; i < engines_.size(); ++i) {
    if (!HasNetworks(i)) continue;
    absl::Status status = StartEngine(i);
    if (!status.ok()) status = GiveUp(i, status);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<SelfTestReport> PlacedEngines::TestEngine(size_t number, const SelfTest& self_test) {
  Engine& engine = engines_[number];
  // Networks of an engine that was given up may have come since it was started.
  if (absl::Status status = StartEngine(number); !status.ok()) return status;
  absl::StatusOr<SelfTestReport> report = self_test(*networks_, engine.backend->precision(), engine.batcher.get());
  if (!report.ok()) return report;
  if (absl::Status lost = engine.observer->EndTrial(); !lost.ok()) return lost;
  return report;
}

absl::StatusOr<SelfTestReport> PlacedEngines::Test(const SelfTest& self_test) {
  SelfTestReport all;
  for (size_t i = 0; i < engines_.size(); ++i) {
    if (!HasNetworks(i)) continue;
    absl::StatusOr<SelfTestReport> report = TestEngine(i, self_test);
    if (!report.ok()) {
      if (absl::Status status = GiveUp(i, report.status()); !status.ok()) return status;
      continue;
    }
    all.checks.insert(all.checks.end(), report->checks.begin(), report->checks.end());
    all.tolerance = std::max(all.tolerance, report->tolerance);
  }
  return all;
}

std::vector<EngineInfo> PlacedEngines::InUse() const {
  std::vector<EngineInfo> infos;
  for (size_t i = 0; i < engines_.size(); ++i) {
    if (!HasNetworks(i)) continue;
    const Engine& engine = engines_[i];
    EngineInfo info{.backend = engine.backend->name(),
                    .device = engine.backend->device(),
                    .precision = engine.backend->precision(),
                    .batching = engine.batching,
                    .networks = {}};
    for (size_t network = 0; network < places_.size(); ++network) {
      if (places_[network] == i) info.networks.emplace_back(networks_->networks()[network]->info->name);
    }
    infos.push_back(std::move(info));
  }
  return infos;
}

std::vector<EngineLoad> PlacedEngines::Loads() const {
  std::vector<EngineLoad> loads;
  for (const Engine& engine : engines_) {
    if (engine.batcher == nullptr) continue;
    loads.push_back({engine.backend->device(), engine.batching.workers, engine.batcher->load()});
  }
  return loads;
}

void PlacedEngines::Shutdown(const absl::Status& status) {
  // A batch that does not end on one must not keep the others' calls waiting.
  std::vector<std::thread> threads;
  for (const Engine& engine : engines_) {
    if (engine.batcher == nullptr) continue;
    const auto shut_down = [&] { engine.batcher->Shutdown(status); };
    if (!Contain([&] { threads.emplace_back(shut_down); }).ok()) shut_down();
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engines>> Engines::Load(std::vector<EngineSpec> specs,
                                                       const NetworkCatalogOptions& networks, absl::Duration trial) {
  if (specs.empty()) return absl::InvalidArgumentError("engines: there is none");
  auto engines = std::make_unique<PlacedEngines>(std::move(specs));
  if (absl::Status status = engines->LoadNetworks(networks); !status.ok()) return status;
  if (absl::Status status = engines->PlaceByTrial(trial); !status.ok()) return status;
  return engines;
}

}  // namespace hearwire
