// A pipeline over a fake backend, with everything else real.

#ifndef HEARWIRE_TESTS_SERVER_PIPELINE_PIPELINE_HARNESS_H_
#define HEARWIRE_TESTS_SERVER_PIPELINE_PIPELINE_HARNESS_H_

#include <gtest/gtest.h>

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
#include "server/pipeline/scene_mean.h"
#include "tests/fixtures/fake_embedder.h"
#include "tests/fixtures/recorded_metrics.h"

namespace hearwire {

// What one lane answered.
struct CallResult {
  int row_size = 0;
  std::vector<int64_t> rows_per_clip;
  std::vector<float> rows;  // [sum of rows_per_clip, row_size], clip after clip.
};

struct Answer {
  std::variant<std::vector<CallResult>, CallError> outcome;  // Of each lane.
  CallReport report;

  const CallResult& result(size_t lane = 0) const { return std::get<0>(outcome).at(lane); }
  const CallError& error() const { return std::get<CallError>(outcome); }
  bool ok() const { return !std::holds_alternative<CallError>(outcome); }
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

// Collects a call's rows, of scenes their means; deletes itself at the end.
class CollectingSink final : public ReplySink {
 public:
  // held: where what the reply holds is put; null: it is given back at once.
  CollectingSink(const CallRequest& request, Held* held) : held_(held), lanes_(request.lanes.size()) {
    for (size_t i = 0; i < lanes_.size(); ++i) {
      const LaneRequest& lane = request.lanes[i];
      lanes_[i].kind = lane.kind;
      lanes_[i].row_size = RowSize(lane.network->shape, lane.network->info->mel.n_mels, lane.readouts);
      lanes_[i].rows.resize(request.clips.size());
      lanes_[i].means.resize(request.clips.size());
    }
  }

  std::future<Answer> answer() { return answer_.get_future(); }

  std::optional<CallError> OnRows(const WindowRows& rows) override {
    Lane& lane = lanes_.at(static_cast<size_t>(rows.lane));
    absl::Span<const float> known = rows.rows;
    if (lane.kind == LaneKind::kScene) {
      SceneMean& mean = lane.means.at(static_cast<size_t>(rows.clip));
      mean.Add(rows.rows, lane.row_size);
      known = rows.last ? mean.Mean() : absl::Span<const float>();
    }
    std::vector<float>& all = lane.rows.at(static_cast<size_t>(rows.clip));
    if (lane.kind == LaneKind::kTimestamps && !rows.rows.empty()) {
      EXPECT_EQ(rows.first_window, static_cast<int64_t>(all.size()) / lane.row_size);
    }
    all.insert(all.end(), known.begin(), known.end());
    return std::nullopt;
  }
  void OnEnd(const CallError* error, const CallReport& report, Held held) override {
    if (held_ != nullptr) *held_ = std::move(held);
    held.reset();
    std::vector<CallResult> results;
    for (const Lane& lane : lanes_) {
      CallResult& result = results.emplace_back();
      result.row_size = lane.row_size;
      for (const std::vector<float>& rows : lane.rows) {
        result.rows_per_clip.push_back(static_cast<int64_t>(rows.size()) / lane.row_size);
        result.rows.insert(result.rows.end(), rows.begin(), rows.end());
      }
    }
    if (error != nullptr) {
      answer_.set_value({*error, report});
    } else {
      answer_.set_value({std::move(results), report});
    }
    delete this;
  }

 private:
  struct Lane {
    LaneKind kind;
    int row_size;
    std::vector<std::vector<float>> rows;  // Of each clip.
    std::vector<SceneMean> means;          // Likewise.
  };

  Held* const held_;
  std::vector<Lane> lanes_;
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
  CallRequest Request(const std::vector<std::vector<float>>& clips, LaneKind kind = LaneKind::kScene);
  // held: see CollectingSink; to be given back before this is destroyed.
  std::future<Answer> Start(CallRequest request, Held* held = nullptr);
  Answer Run(CallRequest request) { return Start(std::move(request)).get(); }

  FakeBackend fake;
  RecordedMetrics metrics;
  MetricsObserver observer{&metrics, {}};
  const std::shared_ptr<LoadedNetwork> network = std::make_shared<LoadedNetwork>();
  const Config& config = *FindConfig(kEmbeddedConfigName);
  std::unique_ptr<Batcher> batcher;
  std::unique_ptr<Pipeline> pipeline;

 private:
  std::list<std::string> bytes_;  // What requests view.
};

inline PipelineHarness::PipelineHarness(Options options, Backend* backend) {
  auto weights = std::make_shared<NetworkWeights>();
  weights->shape = MakeNetworkShape(0.1);
  network->info = FindNetwork(kEmbeddedNetworkName);
  network->shape = weights->shape;
  network->sha256 = "0123";
  if (backend == nullptr) backend = &fake;
  fake.set_before_embed(options.before_embed);
  network->index = backend->AddNetwork(weights, network->info->mel).value();
  batcher = Batcher::Create(options.batcher, backend, &observer).value();
  network->batcher = batcher.get();
  pipeline = Pipeline::Create(options.pipeline, &metrics).value();
}

inline CallRequest PipelineHarness::Request(const std::vector<std::vector<float>>& clips, LaneKind kind) {
  CallRequest request;
  request.lanes.push_back(
      {.kind = kind,
       .network = network,
       .readouts = {config.readout},
       .timestamp_window_samples = config.timestamp_window_samples,
       .min_samples = kind == LaneKind::kTimestamps ? config.min_timestamp_samples() : config.min_scene_samples()});
  for (const std::vector<float>& clip : clips) {
    const std::string& bytes =
        bytes_.emplace_back(reinterpret_cast<const char*>(clip.data()), clip.size() * sizeof(float));
    request.clips.push_back(PcmAudio{.sample_rate_hz = kSampleRateHz, .samples = bytes});
    request.request_bytes += static_cast<int64_t>(bytes.size());
  }
  request.reply = {.fixed = 100, .per_clip = 10, .per_row = {4 * config.embedding_size()}};
  return request;
}

inline std::future<Answer> PipelineHarness::Start(CallRequest request, Held* held) {
  auto* const sink = new CollectingSink(request, held);
  std::future<Answer> future = sink->answer();
  request.sink = sink;
  pipeline->Start(std::move(request));
  return future;
}

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_SERVER_PIPELINE_PIPELINE_HARNESS_H_
