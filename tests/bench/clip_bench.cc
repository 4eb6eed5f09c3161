// What a clip costs before and beside the network: decoding and the front end, and a call's way through the pipeline
// with an embedder that does nothing. Prints the least and the median CPU time of the process, and the page faults.
//
//   clip_bench [case [count]]
//
// With a case, runs that one so often, and prints nothing: for valgrind --tool=callgrind. The difference of two counts
// is what the clips cost without the start.

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/configs/config.h"
#include "models/log_mel/window_stream.h"
#include "server/batching/batcher.h"
#include "server/pipeline/clip_feed.h"
#include "server/pipeline/metrics_observer.h"
#include "server/pipeline/pipeline.h"
#include "tests/fixtures/recorded_metrics.h"

namespace hearwire {
namespace {

constexpr int kRepetitions = 15;

double ProcessSeconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

int64_t PageFaults() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

template <typename T>
T OrDie(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
    std::abort();
  }
  return *std::move(value);
}

// 16-bit PCM at the model's rate: noise.
std::string MakePcm(int samples) {
  std::string bytes(2 * static_cast<size_t>(samples), '\0');
  uint32_t state = 1;
  for (char& byte : bytes) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

class NoBackend final : public Backend {
 public:
  std::string name() const override { return "none"; }
  std::string device() const override { return "cpu"; }
  std::string precision() const override { return "float32"; }
  absl::StatusOr<int> AddNetwork(std::shared_ptr<const NetworkWeights>, MelSettings) override { return 0; }
  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() override { return std::make_unique<None>(); }

 private:
  struct None final : Embedder {
    absl::Status Embed(int, absl::Span<const WindowRequest> batch) override {
      // A value of each row: what is read is finite where nothing was written before.
      for (const WindowRequest& request : batch) std::fill_n(request.row, kRowSize, 0.0f);
      return absl::OkStatus();
    }
    const size_t kRowSize = static_cast<size_t>(FindConfig(kEmbeddedConfigName)->embedding_size());
  };
};

class Bench {
 public:
  Bench() {
    network_->info = FindNetwork(kEmbeddedNetworkName);
    network_->shape = MakeNetworkShape(network_->info->width);
    network_->index = OrDie(backend_.AddNetwork(nullptr, network_->info->mel));
    batcher_ = OrDie(Batcher::Create({}, &backend_, &observer_));
    network_->batcher = batcher_.get();
    pipeline_ = OrDie(Pipeline::Create({.threads = 1}, &metrics_));
  }

  // One clip, decoded and cut into windows.
  void Feed(LaneKind kind, const std::string& pcm) {
    const CallRequest request = Request(kind, pcm);
    ClipFeed feed(request, 0, {});
    LaneWindows windows(1);
    while (true) {
      const auto step = feed.Step(&windows);
      if (std::holds_alternative<CallError>(step)) std::abort();
      if (std::get<ClipFeed::Progress>(step) == ClipFeed::Progress::kEnd) return;
    }
  }

  // A recording that goes on for ever, 100 ms of it.
  void Piece(LaneKind kind) {
    std::unique_ptr<WindowStream>& stream = streams_[kind == LaneKind::kScene ? 0 : 1];
    if (stream == nullptr) {
      const WindowStreamOptions options{.mel = network_->info->mel};
      stream = OrDie(kind == LaneKind::kScene ? WindowStream::ForScenes(options)
                                              : WindowStream::ForTimestamps(5120, options));
      piece_.resize(kSampleRateHz / 10);
      for (size_t i = 0; i < piece_.size(); ++i) piece_[i] = static_cast<float>(i * 7919 % 1009) / 1009 - 0.5f;
    }
    if (!stream->Append(piece_).ok()) std::abort();
    ready_.clear();
    while (OrDie(stream->Step(&ready_)) == WindowStream::Progress::kMore) {
    }
  }

  // One call, from its start to its end.
  void Call(LaneKind kind, const std::string& pcm) {
    Sink sink;
    CallRequest request = Request(kind, pcm);
    request.sink = &sink;
    pipeline_->Start(std::move(request));
    sink.ended.get_future().wait();
  }

 private:
  struct Sink final : ReplySink {
    std::optional<CallError> OnRows(const WindowRows&) override { return std::nullopt; }
    void OnEnd(const CallError* error, const CallReport&, std::unique_ptr<Admission::Share>) override {
      if (error != nullptr) std::abort();
      ended.set_value();
    }
    std::promise<void> ended;
  };

  CallRequest Request(LaneKind kind, const std::string& pcm) const {
    const Config& config = *FindConfig(kEmbeddedConfigName);
    CallRequest request;
    request.lanes.push_back({.kind = kind,
                             .network = network_,
                             .readouts = {config.readout},
                             .timestamp_window_samples = config.timestamp_window_samples,
                             .min_samples = config.min_scene_samples()});
    request.clips.push_back(
        PcmAudio{.encoding = PcmAudio::Encoding::kLinear16, .sample_rate_hz = kSampleRateHz, .samples = pcm});
    request.request_bytes = static_cast<int64_t>(pcm.size());
    request.reply = {.fixed = 100, .per_clip = 10, .per_row = {int64_t{4} * config.embedding_size()}};
    return request;
  }

  NoBackend backend_;
  RecordedMetrics metrics_;
  MetricsObserver observer_{&metrics_, {}};
  const std::shared_ptr<LoadedNetwork> network_ = std::make_shared<LoadedNetwork>();
  std::unique_ptr<Batcher> batcher_;
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<WindowStream> streams_[2];
  std::vector<float> piece_;
  std::vector<StreamWindow> ready_;
};

struct Case {
  const char* name;
  std::function<void()> run;
};

void Measure(const Case& one) {
  constexpr int kRuns = 200;
  std::vector<double> seconds;
  int64_t faults = 0;
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    const int64_t faults_before = PageFaults();
    const double start = ProcessSeconds();
    for (int i = 0; i < kRuns; ++i) one.run();
    seconds.push_back((ProcessSeconds() - start) / kRuns);
    faults = PageFaults() - faults_before;
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf("%-22s %8.1f us (least %.1f), %.2f page faults\n", one.name, 1e6 * seconds[seconds.size() / 2],
              1e6 * seconds.front(), static_cast<double>(faults) / kRuns);
}

int Main(int argc, char** argv) {
  Bench bench;
  const std::string second = MakePcm(kSampleRateHz);
  const std::vector<Case> cases = {
      {"feed_scene", [&] { bench.Feed(LaneKind::kScene, second); }},
      {"feed_timestamps", [&] { bench.Feed(LaneKind::kTimestamps, second); }},
      {"piece_scene", [&] { bench.Piece(LaneKind::kScene); }},
      {"piece_timestamps", [&] { bench.Piece(LaneKind::kTimestamps); }},
      {"call_scene", [&] { bench.Call(LaneKind::kScene, second); }},
      {"call_timestamps", [&] { bench.Call(LaneKind::kTimestamps, second); }},
  };
  const std::string wanted = argc > 1 ? argv[1] : "";
  bool ran = false;
  for (const Case& one : cases) {
    if (!wanted.empty() && wanted != one.name) continue;
    ran = true;
    if (argc > 2) {
      for (int i = 0; i < std::atoi(argv[2]); ++i) one.run();
    } else {
      Measure(one);
    }
  }
  if (ran) return 0;
  std::fprintf(stderr, "clip_bench: there is no case \"%s\"\n", wanted.c_str());
  return 2;
}

}  // namespace
}  // namespace hearwire

int main(int argc, char** argv) { return hearwire::Main(argc, argv); }
