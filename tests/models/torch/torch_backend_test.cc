// The backend as the server sees it: through the module. On CUDA too where there is a device.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>

#include "models/torch_module/torch_module.h"
#include "tests/fixtures/random_network.h"

namespace hearwire {
namespace {

using Rows = std::vector<std::vector<float>>;

Readout MakeReadout(std::initializer_list<Feature> features, Pooling pooling = Pooling::kAvgCh) {
  Readout readout;
  readout.pooling = pooling;
  for (const Feature feature : features) readout.features.Add(feature);
  return readout;
}

float Largest(const std::vector<float>& values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

float LargestDifference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  float largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

struct Setting {
  std::string device;
  std::string precision;
  float tolerance;  // Of the same numbers in other company, times the largest: what torch_backend.h promises.
  bool pad_windows;
};

void PrintTo(const Setting& setting, std::ostream* os) {
  *os << setting.device << " " << setting.precision << (setting.pad_windows ? " padded" : "");
}

class TorchBackendTest : public testing::TestWithParam<Setting> {
 protected:
  explicit TorchBackendTest(absl::Duration warm_up_limit = absl::ZeroDuration()) : warm_up_limit_(warm_up_limit) {}

  void SetUp() override {
    if (GetParam().device != "cpu") {
      if (absl::Status status = FindCudaDevice(); !status.ok()) GTEST_SKIP() << status.message();
    }
    backend_ = LoadTorchBackend({.device = GetParam().device,
                                 .precision = GetParam().precision,
                                 .max_batch_frames = 1024,
                                 .pad_windows = GetParam().pad_windows,
                                 .warm_up_limit = warm_up_limit_})
                   .value();
  }

  void AddNetwork(std::shared_ptr<const NetworkWeights> weights, MelSettings mel = {}) {
    weights_.push_back(weights);
    mels_.push_back(mel);
    EXPECT_EQ(backend_->AddNetwork(weights, mel).value(), static_cast<int>(weights_.size()) - 1);
  }

  // Windows of these frame counts, with readouts in turn.
  struct Job {
    int frames;
    std::vector<Readout> readouts;
    uint32_t seed;
  };
  Rows Embed(Embedder& embedder, const std::vector<Job>& jobs, int network = 0) {
    std::vector<RandomWindow> windows;
    Rows rows;
    std::vector<WindowRequest> requests;
    const int mels = mels_[network].n_mels;
    for (const Job& job : jobs) {
      windows.push_back(MakeRandomWindow(job.frames, mels, job.seed));
      rows.emplace_back(RowSize(weights_[network]->shape, mels, job.readouts));
    }
    for (size_t i = 0; i < jobs.size(); ++i) requests.push_back({windows[i].window, jobs[i].readouts, rows[i].data()});
    const absl::Status status = embedder.Embed(network, requests);
    EXPECT_TRUE(status.ok()) << status;
    return rows;
  }

  const absl::Duration warm_up_limit_;
  std::unique_ptr<Backend> backend_;
  std::vector<std::shared_ptr<const NetworkWeights>> weights_;
  std::vector<MelSettings> mels_;
};

// Its workers prepare themselves, as the server's do.
class WarmTorchBackendTest : public TorchBackendTest {
 protected:
  WarmTorchBackendTest() : TorchBackendTest(absl::Seconds(2)) {}
};

INSTANTIATE_TEST_SUITE_P(Devices, WarmTorchBackendTest,
                         testing::Values(Setting{"cpu", "float32", 1e-5f, false},
                                         Setting{"cuda", "float32", 1e-4f, true}),
                         [](const auto& info) { return info.param.device + "_" + info.param.precision; });

INSTANTIATE_TEST_SUITE_P(
    Devices, TorchBackendTest,
    testing::Values(Setting{"cpu", "float32", 1e-5f, false}, Setting{"cpu", "float32", 1e-5f, true},
                    Setting{"cuda", "float32", 1e-4f, true}, Setting{"cuda", "float16", 2e-2f, true}),
    [](const auto& info) {
      return info.param.device + "_" + info.param.precision + (info.param.pad_windows ? "_padded" : "");
    });

TEST_P(TorchBackendTest, SaysWhatItIs) {
  EXPECT_EQ(backend_->name(), "torch");
  EXPECT_EQ(backend_->device(), GetParam().device == "cpu" ? "cpu" : "cuda:0");
  EXPECT_EQ(backend_->precision(), GetParam().precision);
}

TEST_P(TorchBackendTest, GivesARowThatDoesNotDependOnItsCompany) {
  AddNetwork(MakeRandomNetwork(0.4, HeadKind::kMlp, 1));
  const std::unique_ptr<Embedder> embedder = backend_->NewEmbedder().value();
  const std::vector<Readout> readouts = {
      MakeReadout({Feature::kMelAvgs, Block(5), Block(11), Block(13), Block(15)}),
      MakeReadout({Feature::kLogits, Feature::kClf1, Feature::kClf2}),
      MakeReadout({Se(5), Se(11), Se(13), Se(15)}),
      MakeReadout({Block(0), Block(3)}, Pooling::kAvgMaxTime),
      MakeReadout({Block(15), Block(7)}, Pooling::kCatAvgMaxCh),
  };
  std::vector<Job> jobs;
  const int frame_counts[] = {16, 16, 16, 64, 2, 250, 16};
  for (uint32_t i = 0; i < 140; ++i) jobs.push_back({frame_counts[i % 7], {readouts[i % readouts.size()]}, i});
  jobs.push_back({1000, {readouts[0]}, 1000});
  const Rows together = Embed(*embedder, jobs);
  for (size_t i = 0; i < jobs.size(); i += 3) {
    const Rows alone = Embed(*embedder, {jobs[i]});
    EXPECT_LE(LargestDifference(together[i], alone[0]), GetParam().tolerance * Largest(alone[0])) << i;
    EXPECT_GT(Largest(alone[0]), 0);
  }
}

TEST_P(TorchBackendTest, ReadsTheSameFeatureUnderEveryReadout) {
  AddNetwork(MakeRandomNetwork(0.1, HeadKind::kFullyConvolutional, 2));
  const std::unique_ptr<Embedder> embedder = backend_->NewEmbedder().value();
  const Rows rows = Embed(*embedder, {{16, {MakeReadout({Block(3)}, Pooling::kAvgCh)}, 1},
                                      {16, {MakeReadout({Block(3)}, Pooling::kMaxCh)}, 1},
                                      {16, {MakeReadout({Block(3)}, Pooling::kAddAvgMaxCh)}, 1},
                                      {16, {MakeReadout({Block(3)}, Pooling::kCatAvgMaxCh)}, 1},
                                      {16, {MakeReadout({Block(3)}, Pooling::kAvgTime)}, 1},
                                      {16, {MakeReadout({Block(3)}, Pooling::kAvgMaxTime)}, 1}});
  const size_t channels = rows[0].size();
  const size_t bands = rows[4].size() / channels;
  ASSERT_EQ(bands, 32u);  // 128 bands after two strides.
  for (size_t c = 0; c < channels; ++c) {
    EXPECT_FLOAT_EQ(rows[2][c], rows[0][c] + rows[1][c]);
    EXPECT_EQ(rows[3][c], rows[0][c]);
    EXPECT_EQ(rows[3][channels + c], rows[1][c]);
    float mean = 0;
    float max = -std::numeric_limits<float>::infinity();
    for (size_t b = 0; b < bands; ++b) {  // The inner axis.
      const float over_time = rows[4][c * bands + b];
      mean += over_time / bands;
      max = std::max(max, rows[5][c * bands + b] - over_time);
    }
    const float near = GetParam().tolerance * Largest(rows[5]);
    EXPECT_NEAR(mean, rows[0][c], near);
    EXPECT_NEAR(max, rows[1][c], near);
  }
}

// The parts of a row are what the readouts give alone: bit for bit on the CPU, where the same operators run.
TEST_P(TorchBackendTest, ReadsSeveralReadoutsOutOfOnePass) {
  AddNetwork(MakeRandomNetwork(0.4, HeadKind::kMlp, 1));
  const std::unique_ptr<Embedder> embedder = backend_->NewEmbedder().value();
  std::vector<Readout> readouts = {MakeReadout({Block(5), Se(5), Feature::kMelAvgs}, Pooling::kMaxCh),
                                   MakeReadout({Feature::kLogits, Feature::kClf1, Feature::kClf2})};
  for (const Pooling pooling : {Pooling::kAvgCh, Pooling::kMaxCh, Pooling::kAddAvgMaxCh, Pooling::kCatAvgMaxCh,
                                Pooling::kAvgTime, Pooling::kAvgMaxTime}) {
    readouts.push_back(MakeReadout({Block(5), Block(11), Block(15)}, pooling));
  }
  readouts.push_back(readouts.front());
  for (const int frames : {16, 250}) {
    std::vector<float> alone;
    for (const Readout& readout : readouts) {
      const std::vector<float> row = Embed(*embedder, {{frames, {readout}, 5}})[0];
      alone.insert(alone.end(), row.begin(), row.end());
    }
    const std::vector<float> together = Embed(*embedder, {{frames, readouts, 5}})[0];
    if (GetParam().device == "cpu") {
      EXPECT_EQ(together, alone);
    } else {
      EXPECT_LE(LargestDifference(together, alone), GetParam().tolerance * Largest(alone));
    }
  }
}

TEST_P(TorchBackendTest, RefusesAWindowWithoutReadout) {
  AddNetwork(MakeRandomNetwork(0.1, HeadKind::kMlp, 1));
  const std::unique_ptr<Embedder> embedder = backend_->NewEmbedder().value();
  const RandomWindow window = MakeRandomWindow(16, 128, 1);
  float value = 0;
  EXPECT_TRUE(absl::IsInternal(embedder->Embed(0, {{window.window, {}, &value}})));
}

TEST_P(TorchBackendTest, ReadsSqueezeExciteBeforeItsActivation) {
  AddNetwork(MakeRandomNetwork(0.4, HeadKind::kMlp, 1));
  const std::unique_ptr<Embedder> embedder = backend_->NewEmbedder().value();
  const Rows rows = Embed(*embedder, {{16, {MakeReadout({Se(5), Se(15)})}, 1}});
  EXPECT_THAT(rows[0], testing::Contains(testing::Lt(0.0f)));
}

TEST_P(TorchBackendTest, RunsSeveralNetworks) {
  AddNetwork(MakeRandomNetwork(0.1, HeadKind::kMlp, 1));
  AddNetwork(MakeRandomNetwork(0.2, HeadKind::kFullyConvolutional, 2), {.n_mels = 40, .hop_samples = 320});
  AddNetwork(MakeRandomNetwork(0.1, HeadKind::kMlp, 3), {.n_mels = 256, .hop_samples = 160});
  const std::unique_ptr<Embedder> embedder = backend_->NewEmbedder().value();
  const Readout logits = MakeReadout({Feature::kLogits, Block(15)});
  const Rows first = Embed(*embedder, {{16, {logits}, 1}}, 0);
  const Rows second = Embed(*embedder, {{16, {logits}, 1}}, 1);
  const Rows third = Embed(*embedder, {{32, {logits}, 1}}, 2);
  EXPECT_NE(first, second);
  EXPECT_GT(Largest(third[0]), 0);
  EXPECT_EQ(Embed(*embedder, {{16, {logits}, 1}}, 0), first);
}

TEST_P(WarmTorchBackendTest, GivesEveryWorkerTheSameNumbers) {
  AddNetwork(MakeRandomNetwork(0.2, HeadKind::kMlp, 1));
  std::vector<Job> jobs;
  for (uint32_t i = 0; i < 40; ++i) jobs.push_back({16, {MakeReadout({Block(15), Feature::kLogits})}, i});
  Rows rows[3];
  std::vector<std::thread> workers;
  for (Rows& mine : rows) {
    workers.emplace_back([&] {
      const std::unique_ptr<Embedder> embedder = backend_->NewEmbedder().value();
      for (int i = 0; i < 5; ++i) mine = Embed(*embedder, jobs);
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_GT(Largest(rows[0][0]), 0);
  for (const Rows& other : rows) {
    for (size_t i = 0; i < jobs.size(); ++i) {
      EXPECT_LE(LargestDifference(other[i], rows[0][i]), GetParam().tolerance * Largest(rows[0][i]));
    }
  }
}

TEST_P(TorchBackendTest, SaysThatANetworkIsNotThere) {
  AddNetwork(MakeRandomNetwork(0.1, HeadKind::kMlp, 1));
  const std::unique_ptr<Embedder> embedder = backend_->NewEmbedder().value();
  EXPECT_TRUE(absl::IsInternal(embedder->Embed(1, {})));
}

// The wider the network, the more memory; it must run all the same.
TEST_P(TorchBackendTest, RunsTheWidestNetwork) {
  AddNetwork(MakeRandomNetwork(4.0, HeadKind::kMlp, 1));
  const std::unique_ptr<Embedder> embedder = backend_->NewEmbedder().value();
  const Rows rows = Embed(*embedder, {{16, {MakeReadout({Feature::kClf2, Block(15)})}, 1}});
  EXPECT_TRUE(std::all_of(rows[0].begin(), rows[0].end(), [](float value) { return std::isfinite(value); }));
  EXPECT_GT(Largest(rows[0]), 0);
}

}  // namespace
}  // namespace hearwire
