// A pipeline over a fake backend, with everything else real.

#ifndef HEARWIRE_TESTS_SERVER_PIPELINE_PIPELINE_HARNESS_H_
#define HEARWIRE_TESTS_SERVER_PIPELINE_PIPELINE_HARNESS_H_

#include <cmath>
#include <cstdint>
#include <cstring>
#include <future>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "models/configs/config.h"
#include "server/batching/batcher.h"
#include "server/pipeline/metrics_observer.h"
#include "server/pipeline/pipeline.h"
#include "tests/fixtures/fake_embedder.h"
#include "tests/fixtures/recorded_metrics.h"

namespace hearwire {

struct CallResult {
  int row_size = 0;
  std::vector<int64_t> rows_per_clip;
  std::vector<float> rows;  // [sum of rows_per_clip, row_size], clip after clip.
};

struct Answer {
  std::variant<CallResult, CallError> outcome;
  CallReport report;

  const CallResult& result() const { return std::get<CallResult>(outcome); }
  const CallError& error() const { return std::get<CallError>(outcome); }
  bool ok() const { return std::holds_alternative<CallResult>(outcome); }
  absl::StatusCode code() const { return ok() ? absl::StatusCode::kOk : error().status.code(); }
  std::string_view reason() const { return ok() ? "" : error().reason; }
};

// A sine of `seconds` at 32 kHz; another pitch is another clip.
inline std::vector<float> Tone(double seconds, double pitch_hz = 440) {
  std::vector<float> samples(static_cast<size_t>(std::lround(seconds * kSampleRateHz)));
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i] = static_cast<float>(0.3 * std::sin(2 * M_PI * pitch_hz * static_cast<double>(i) / kSampleRateHz));
  }
  return samples;
}

using Held = std::unique_ptr<Admission::Share>;

// Collects a call's rows; deletes itself at the end.
class CollectingSink final : public ReplySink {
 public:
  // held: where what the reply holds is put; null: it is given back at once.
  CollectingSink(size_t clips, int row_size, Held* held) : row_size_(row_size), held_(held), rows_(clips) {}

  std::future<Answer> answer() { return answer_.get_future(); }

  std::optional<CallError> OnRows(int clip, absl::Span<const float> rows) override {
    std::vector<float>& all = rows_[static_cast<size_t>(clip)];
    all.insert(all.end(), rows.begin(), rows.end());
    return std::nullopt;
  }
  void OnEnd(const CallError* error, const CallReport& report, Held held) override {
    if (held_ != nullptr) *held_ = std::move(held);
    held.reset();
    CallResult result{.row_size = row_size_};
    for (const std::vector<float>& rows : rows_) {
      result.rows_per_clip.push_back(static_cast<int64_t>(rows.size()) / row_size_);
      result.rows.insert(result.rows.end(), rows.begin(), rows.end());
    }
    if (error != nullptr) {
      answer_.set_value({*error, report});
    } else {
      answer_.set_value({std::move(result), report});
    }
    delete this;
  }

 private:
  const int row_size_;
  Held* const held_;
  std::vector<std::vector<float>> rows_;  // Of each clip.
  std::promise<Answer> answer_;
};

class PipelineHarness {
 public:
  struct Options {
    PipelineOptions pipeline = {};
    BatcherOptions batcher = {};
    // The fake backend calls it before each batch; it may wait at a Gate. Not OK: the batch fails with it.
    FakeBackend::BeforeEmbed before_embed = {};
  };

  // backend: null: `fake`.
  explicit PipelineHarness(Options options, Backend* backend = nullptr);
  PipelineHarness() : PipelineHarness(Options{}) {}
  ~PipelineHarness() { batcher->Shutdown(absl::UnavailableError("the test has ended")); }

  // A scene of the clips with the network's default config; change it as the test needs.
  CallRequest Request(const std::vector<std::vector<float>>& clips, CallKind kind = CallKind::kScene);
  // held: see CollectingSink; to be given back before this is destroyed.
  std::future<Answer> Start(CallRequest request, Held* held = nullptr);
  Answer Run(CallRequest request) { return Start(std::move(request)).get(); }

  FakeBackend fake;
  RecordedMetrics metrics;
  MetricsObserver observer{&metrics, {}};
  LoadedNetwork network;
  const Config& config = *FindConfig(kEmbeddedConfigName);
  std::unique_ptr<Batcher> batcher;
  std::unique_ptr<Pipeline> pipeline;

 private:
  std::list<std::string> bytes_;  // What requests view.
};

inline PipelineHarness::PipelineHarness(Options options, Backend* backend) {
  auto weights = std::make_shared<NetworkWeights>();
  weights->shape = MakeNetworkShape(0.1);
  network.info = FindNetwork(kEmbeddedNetworkName);
  network.shape = weights->shape;
  network.sha256 = "0123";
  if (backend == nullptr) backend = &fake;
  fake.set_before_embed(options.before_embed);
  network.index = backend->AddNetwork(weights, network.info->mel).value();
  batcher = Batcher::Create(options.batcher, backend, &observer).value();
  network.batcher = batcher.get();
  pipeline = Pipeline::Create(options.pipeline, &metrics).value();
}

inline CallRequest PipelineHarness::Request(const std::vector<std::vector<float>>& clips, CallKind kind) {
  CallRequest request;
  request.kind = kind;
  request.network = &network;
  request.readout = config.readout;
  if (kind == CallKind::kTags) {
    request.readout = Readout{};
    request.readout.features.Add(Feature::kLogits);
  }
  request.timestamp_window_samples = config.timestamp_window_samples;
  request.min_samples = kind == CallKind::kTimestamps ? config.min_timestamp_samples() : config.min_scene_samples();
  for (const std::vector<float>& clip : clips) {
    const std::string& bytes =
        bytes_.emplace_back(reinterpret_cast<const char*>(clip.data()), clip.size() * sizeof(float));
    request.clips.push_back(PcmAudio{.sample_rate_hz = kSampleRateHz, .samples = bytes});
    request.request_bytes += static_cast<int64_t>(bytes.size());
  }
  request.reply = {.fixed = 100, .per_clip = 10, .per_row = 4 * config.embedding_size()};
  return request;
}

inline std::future<Answer> PipelineHarness::Start(CallRequest request, Held* held) {
  auto* const sink = new CollectingSink(request.clips.size(),
                                        ReadoutSize(network.shape, network.info->mel.n_mels, request.readout), held);
  std::future<Answer> future = sink->answer();
  request.sink = sink;
  pipeline->Start(std::move(request));
  return future;
}

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_SERVER_PIPELINE_PIPELINE_HARNESS_H_
