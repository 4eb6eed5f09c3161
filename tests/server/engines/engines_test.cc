#include "server/engines/engines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "models/weights/embedded_network.h"
#include "server/batching/refusal.h"
#include "server/concurrency/steady_time.h"
#include "server/telemetry/log.h"
#include "tests/fixtures/fake_embedder.h"
#include "tests/server/batching/recording_observer.h"

namespace hearwire {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A window on its way to an engine.
class Probe {
 public:
  explicit Probe(const LoadedNetwork& network) : network_(network) {
    frames_.resize(static_cast<size_t>(network.info->mel.n_mels), 0.5f);
    readout_.features.Add(Feature::kLogits);
    row_.resize(static_cast<size_t>(ReadoutSize(network.shape, network.info->mel.n_mels, readout_)));
    Window window;
    window.mels = network.info->mel.n_mels;
    window.runs[1] = {frames_.data(), 1};
    work_->network = network.index;
    work_->requests.push_back({.window = window, .readouts = {&readout_, 1}, .row = row_.data()});
    work_->done = [this](absl::Status status, const BatchTimes&) {
      MutexLock lock(&mu_);
      status_ = std::move(status);
      done_ = true;
      changed_.SignalAll();
    };
  }
  absl::Status Submit() { return network_.batcher->Submit(work_); }
  absl::Status Wait() {
    MutexLock lock(&mu_);
    while (!done_) changed_.WaitUntil(&mu_, SteadyTime::InfiniteFuture());
    return status_;
  }
  absl::Status Run() {
    absl::Status status = Submit();
    return status.ok() ? Wait() : status;
  }

 private:
  const LoadedNetwork& network_;
  std::vector<float> frames_;
  Readout readout_;
  std::vector<float> row_;
  std::shared_ptr<CallWork> work_ = std::make_shared<CallWork>();
  Mutex mu_;
  CondVar changed_;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

// A window through every network of the batcher.
absl::StatusOr<SelfTestReport> ProbeNetworks(const NetworkCatalog& networks, std::string_view, Batcher* batcher) {
  SelfTestReport report;
  for (const auto& network : networks.networks()) {
    if (network->batcher != batcher) continue;
    if (absl::Status status = Probe(*network).Run(); !status.ok()) return status;
    report.checks.push_back({std::string(network->info->name), 0});
  }
  return report;
}

// A GPU and a CPU, both fakes, and two networks: hearwire_mn01 and mn01_as. On the GPU a batch of the second takes no
// time and one of the first 2 ms; on the CPU it is the other way round.
class EnginesTest : public ::testing::Test {
 protected:
  EnginesTest() {
    std::string path = (fs::temp_directory_path() / "hearwire-engines-XXXXXX").string();
    folder_ = mkdtemp(path.data());
    const std::string_view bytes = EmbeddedCheckpoint();
    std::ofstream(folder_ + "/mn01_as.pt", std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    for (FakeBackend* backend : {gpu_, cpu_}) {
      backend->set_before_embed([this, backend](int network, auto) {
        if (!serving_ && network == (backend == gpu_ ? slow_on_gpu_ : 1)) absl::SleepFor(absl::Milliseconds(2));
        if (serving_ && backend == gpu_ && gated_) gate_.Pass();
        return backend == gpu_ ? FailAt(serving_ ? "a batch" : "the trial") : absl::OkStatus();
      });
    }
    gpu_->set_before_new_embedder([this](int number) { return FailAt(number == 0 ? "an embedder" : "a worker"); });
    gpu_->set_before_add_network(
        [this](int number) { return FailAt(number == 0 ? "the first network" : "the second network"); });
  }
  ~EnginesTest() override {
    gate_.Open();
    engines_.reset();
    fs::remove_all(folder_);
  }

  absl::Status FailAt(const std::string& step) const { return step == failing_step_ ? failure_ : absl::OkStatus(); }

  // Loads, starts and tests; returns the first failure.
  absl::Status Begin(bool with_cpu = true) {
    std::vector<EngineSpec> specs;
    BatcherOptions batching;
    batching.queue.max_queued_frames = 100;
    specs.push_back({std::move(owned_gpu_), batching});
    if (with_cpu) specs.push_back({std::move(owned_cpu_), batching});
    testing::internal::CaptureStderr();
    absl::Status status = BeginWith(std::move(specs));
    EXPECT_TRUE(FlushLog(SteadyTime::Now() + absl::Seconds(60)));
    log_ = testing::internal::GetCapturedStderr();
    return status;
  }
  absl::Status BeginWith(std::vector<EngineSpec> specs) {
    auto engines = Engines::Load(std::move(specs), {.model_repository = folder_}, absl::Milliseconds(20));
    if (!engines.ok()) return engines.status();
    engines_ = *std::move(engines);
    serving_ = true;
    if (absl::Status status = engines_->Start(&observer_); !status.ok()) return status;
    absl::StatusOr<SelfTestReport> report = engines_->Test(self_test_);
    if (report.ok()) tested_ = report->checks.size();
    return report.status();
  }

  // "cuda:0: mn01_as; cpu: hearwire_mn01"
  std::string InUse() const {
    std::string text;
    for (const EngineInfo& engine : engines_->InUse()) {
      text += (text.empty() ? "" : "; ") + engine.device + ":";
      for (const std::string& network : engine.networks) text += " " + network;
    }
    return text;
  }
  int Warnings() const {
    int count = 0;
    for (size_t at = 0; (at = log_.find("warning", at)) != std::string::npos; ++at) ++count;
    return count;
  }
  const LoadedNetwork& Network(std::string_view name) const { return *engines_->networks().Find(name); }

  std::string folder_;
  std::unique_ptr<FakeBackend> owned_gpu_ = std::make_unique<FakeBackend>("torch", "cuda:0");
  std::unique_ptr<FakeBackend> owned_cpu_ = std::make_unique<FakeBackend>("native", "cpu");
  FakeBackend* const gpu_ = owned_gpu_.get();
  FakeBackend* const cpu_ = owned_cpu_.get();
  int slow_on_gpu_ = 0;                // By the GPU's index.
  std::atomic<bool> serving_ = false;  // Nothing is slow any more.
  Gate gate_;                          // Of the GPU's batches, once it serves.
  bool gated_ = false;
  std::string failing_step_;  // Of the GPU.
  absl::Status failure_ = absl::InternalError("no kernel image is available for this device");
  SelfTest self_test_ = ProbeNetworks;
  RecordingObserver observer_;
  size_t tested_ = 0;
  std::string log_;
  std::unique_ptr<Engines> engines_;
};

TEST_F(EnginesTest, PlaceEachNetworkWhereItIsFaster) {
  ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(InUse(), "cuda:0: mn01_as; cpu: hearwire_mn01");
  EXPECT_EQ(tested_, 2u);
  EXPECT_THAT(log_, HasSubstr("network placed where it is faster network=hearwire_mn01 device=cpu "
                              "windows_per_second=\"cuda:0 "));
  EXPECT_THAT(log_, HasSubstr("network placed where it is faster network=mn01_as device=cuda:0 "));
  EXPECT_EQ(std::count(log_.begin(), log_.end(), '\n'), 2) << log_;

  const size_t gpu_batches = gpu_->batches().size();
  const size_t cpu_batches = cpu_->batches().size();
  EXPECT_TRUE(Probe(Network("mn01_as")).Run().ok());
  EXPECT_EQ(gpu_->batches().size(), gpu_batches + 1);
  EXPECT_EQ(cpu_->batches().size(), cpu_batches);
  EXPECT_TRUE(Probe(Network("hearwire_mn01")).Run().ok());
  EXPECT_EQ(gpu_->batches().size(), gpu_batches + 1);
  EXPECT_EQ(cpu_->batches().size(), cpu_batches + 1);
}

TEST_F(EnginesTest, PrepareWorkersForTheirNetworksAlone) {
  std::vector<std::optional<std::vector<int>>> prepared;
  gpu_->set_before_new_embedder([&](int) {
    prepared.push_back(gpu_->prepared());
    return absl::OkStatus();
  });
  ASSERT_TRUE(Begin().ok());
  EXPECT_THAT(prepared, ElementsAre(std::vector<int>{}, std::vector<int>{1})) << "on trial, then for mn01_as";
  EXPECT_EQ(cpu_->prepared(), std::vector<int>{0});
}

TEST_F(EnginesTest, AnOnlyEngineIsNotTried) {
  ASSERT_TRUE(Begin(false).ok());
  EXPECT_EQ(InUse(), "cuda:0: hearwire_mn01 mn01_as");
  EXPECT_EQ(gpu_->batches().size(), 2u) << "the self-test's";
  EXPECT_THAT(log_, IsEmpty());
}

// Steps at which a GPU may fail, from the first on.
class FailingGpuTest : public EnginesTest, public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Steps, FailingGpuTest,
                         ::testing::Values("the first network", "the second network", "an embedder", "the trial",
                                           "a worker", "a batch"));

TEST_P(FailingGpuTest, IsReplacedWithOneWarningThatSaysWhy) {
  failing_step_ = GetParam();
  ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(InUse(), "cpu: hearwire_mn01 mn01_as");
  EXPECT_EQ(Warnings(), 1) << log_;
  EXPECT_THAT(log_, AllOf(HasSubstr("device=cuda:0 instead=cpu"), HasSubstr("no kernel image")));
  EXPECT_EQ(tested_, 2u);
  for (const char* name : {"hearwire_mn01", "mn01_as"}) EXPECT_TRUE(Probe(Network(name)).Run().ok());
  EXPECT_THAT(observer_.losses(), IsEmpty());
}

TEST_P(FailingGpuTest, EndsTheStartWhereItWasAskedFor) {
  // The only engine makes its first embedder for a worker, and is not tried.
  failing_step_ = GetParam() == std::string("a worker") ? "an embedder" : GetParam();
  if (failing_step_ == "the trial") failing_step_ = "a batch";
  const absl::Status status = Begin(false);
  EXPECT_EQ(status.code(), failure_.code());
  EXPECT_EQ(status.message(),
            "the device cuda:0 cannot be used: no kernel image is available for this device; --device=cpu does without "
            "it");
}

TEST_F(EnginesTest, AGpuWithWrongNumbersIsReplaced) {
  self_test_ = [&](const NetworkCatalog& networks, std::string_view precision, Batcher* batcher) {
    if (batcher != networks.Find("hearwire_mn01")->batcher) {
      return absl::StatusOr<SelfTestReport>(absl::InternalError("value 9 is 0.3"));
    }
    return ProbeNetworks(networks, precision, batcher);
  };
  ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(InUse(), "cpu: hearwire_mn01 mn01_as");
  EXPECT_EQ(Warnings(), 1) << log_;
  EXPECT_THAT(log_, HasSubstr("value 9 is 0.3"));
}

TEST_F(EnginesTest, AGpuThatIsLostInItsTestIsReplaced) {
  failing_step_ = "a batch";
  failure_ = absl::UnavailableError("fell off the bus");
  ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(InUse(), "cpu: hearwire_mn01 mn01_as");
  EXPECT_EQ(Warnings(), 1) << log_;
  EXPECT_THAT(log_, HasSubstr("fell off the bus"));
  EXPECT_THAT(observer_.losses(), IsEmpty()) << "the server goes on without it";
}

TEST_F(EnginesTest, AGpuThatHangsInItsTestIsLeftBehind) {
  gated_ = true;
  std::unique_ptr<Probe> stuck;
  self_test_ = [&](const NetworkCatalog& networks, std::string_view precision, Batcher* batcher) {
    if (batcher == networks.Find("hearwire_mn01")->batcher) return ProbeNetworks(networks, precision, batcher);
    stuck = std::make_unique<Probe>(*networks.Find("mn01_as"));
    EXPECT_TRUE(stuck->Submit().ok());
    gate_.WaitForArrivals(1);
    return absl::StatusOr<SelfTestReport>(absl::DeadlineExceededError("nothing came back in time"));
  };
  ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(InUse(), "cpu: hearwire_mn01 mn01_as");
  EXPECT_EQ(Warnings(), 1) << log_;
  gate_.Open();
  EXPECT_TRUE(stuck->Wait().ok());
}

TEST_F(EnginesTest, ALossAfterTheTestIsPassedOn) {
  ASSERT_TRUE(Begin().ok());
  failure_ = absl::UnavailableError("fell off the bus");
  failing_step_ = "a batch";
  EXPECT_TRUE(absl::IsUnavailable(Probe(Network("mn01_as")).Run()));
  EXPECT_TRUE(Probe(Network("hearwire_mn01")).Run().ok());
  engines_->Shutdown(absl::UnavailableError("end"));
  EXPECT_THAT(observer_.losses(), ElementsAre(failure_));
}

TEST_F(EnginesTest, ANetworkWithoutRoomOnTheGpuRunsOnTheCpu) {
  failure_ = absl::ResourceExhaustedError("CUDA out of memory");
  failing_step_ = "the second network";
  ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(InUse(), "cpu: hearwire_mn01 mn01_as") << "the first is faster there";
  EXPECT_EQ(Warnings(), 0) << log_;
  EXPECT_THAT(log_, HasSubstr("network=mn01_as device=cpu windows_per_second=\"cuda:0 too little memory, cpu "));
  EXPECT_THAT(log_, HasSubstr(" too_little_memory=\"cuda:0: CUDA out of memory\"\n"));
}

TEST_F(EnginesTest, AnotherNetworkKeepsItsPlaceOnTheGpu) {
  failure_ = absl::ResourceExhaustedError("CUDA out of memory");
  failing_step_ = "the first network";
  slow_on_gpu_ = 1;
  ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(InUse(), "cuda:0: mn01_as; cpu: hearwire_mn01");
  EXPECT_EQ(Network("mn01_as").index, 0) << "the first that the GPU took";
  EXPECT_TRUE(Probe(Network("mn01_as")).Run().ok());
}

TEST_F(EnginesTest, AGpuWithoutRoomForAWindowRunsNothing) {
  failure_ = absl::ResourceExhaustedError("CUDA out of memory");
  failing_step_ = "the trial";
  ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(InUse(), "cpu: hearwire_mn01 mn01_as");
  EXPECT_EQ(Warnings(), 1) << log_;
  EXPECT_THAT(log_, AllOf(HasSubstr("device=cuda:0 instead=cpu"), HasSubstr("CUDA out of memory")));
}

TEST_F(EnginesTest, AGpuWithoutRoomForANetworkRunsNothing) {
  gpu_->set_before_add_network([](int) { return absl::ResourceExhaustedError("CUDA out of memory"); });
  ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(InUse(), "cpu: hearwire_mn01 mn01_as");
  EXPECT_EQ(Warnings(), 1) << log_;
  EXPECT_THAT(log_, AllOf(HasSubstr("device=cuda:0 instead=cpu"), HasSubstr("CUDA out of memory")));
}

TEST_F(EnginesTest, AGpuOnWhichNothingIsFasterIsLetGo) {
  auto held = std::make_shared<bool>();
  const std::weak_ptr<bool> by_gpu = held;
  gpu_->set_before_embed([held = std::move(held)](int, auto) {
    absl::SleepFor(absl::Milliseconds(8));
    return absl::OkStatus();
  });
  ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(InUse(), "cpu: hearwire_mn01 mn01_as");
  EXPECT_TRUE(by_gpu.expired()) << "its memory is for others";
  EXPECT_EQ(Warnings(), 0) << log_;
  EXPECT_THAT(log_, HasSubstr("a device is let go: no network runs on it device=cuda:0\n"));
  EXPECT_EQ(tested_, 2u);
}

TEST_F(EnginesTest, TheLastStaysAsTheReserve) {
  slow_on_gpu_ = -1;
  cpu_->set_before_embed([](int, auto) {
    absl::SleepFor(absl::Milliseconds(4));
    return absl::OkStatus();
  });
  failing_step_ = "a batch";
  ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(InUse(), "cpu: hearwire_mn01 mn01_as") << "the GPU had both";
  EXPECT_THAT(log_, Not(HasSubstr("let go")));
}

TEST_F(EnginesTest, ShareOneBoundOfWhatWaits) {
  gated_ = false;
  ASSERT_TRUE(Begin().ok());
  gated_ = true;
  std::vector<std::unique_ptr<Probe>> probes;
  const auto submit = [&](std::string_view network) {
    probes.push_back(std::make_unique<Probe>(Network(network)));
    return probes.back()->Submit();
  };
  ASSERT_TRUE(submit("mn01_as").ok());
  gate_.WaitForArrivals(1);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(submit("mn01_as").ok()) << i;
  EXPECT_EQ(RefusalOf(submit("hearwire_mn01")), Refusal::kQueueFull);
  probes.pop_back();
  EXPECT_EQ(observer_.pending_frames(), 100);
  gate_.Open();
  for (const auto& probe : probes) EXPECT_TRUE(probe->Wait().ok());
  EXPECT_TRUE(Probe(Network("hearwire_mn01")).Run().ok());
}

TEST_F(EnginesTest, TellWhatEachHasToDo) {
  ASSERT_TRUE(Begin().ok());
  const std::vector<EngineLoad> loads = engines_->Loads();
  ASSERT_EQ(loads.size(), 2u);
  EXPECT_EQ(loads[0].device, "cuda:0");
  EXPECT_EQ(loads[1].device, "cpu");
}

TEST_F(EnginesTest, ShutDownAllAtOnce) {
  ASSERT_TRUE(Begin().ok());
  gated_ = true;
  Probe running(Network("mn01_as"));
  ASSERT_TRUE(running.Submit().ok());
  gate_.WaitForArrivals(1);
  std::thread end([&] { engines_->Shutdown(absl::UnavailableError("end")); });
  while (Probe(Network("hearwire_mn01")).Run().message() != "end") {  // The GPU's batch does not hold the CPU's up.
  }
  gate_.Open();
  end.join();
  EXPECT_TRUE(running.Wait().ok());
}

}  // namespace
}  // namespace hearwire
