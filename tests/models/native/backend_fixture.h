// A network in a native backend, and windows to run through it.

#ifndef HEARWIRE_TESTS_MODELS_NATIVE_BACKEND_FIXTURE_H_
#define HEARWIRE_TESTS_MODELS_NATIVE_BACKEND_FIXTURE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "models/native/native_backend.h"
#include "tests/fixtures/random_network.h"
#include "tests/models/native/reference_network.h"

namespace hearwire {

using Rows = std::vector<std::vector<float>>;

inline Readout MakeReadout(std::initializer_list<Feature> features, Pooling pooling = Pooling::kAvgCh) {
  Readout readout;
  readout.pooling = pooling;
  for (const Feature feature : features) readout.features.Add(feature);
  return readout;
}

// Every feature that a network with this head has.
inline Readout EveryFeature(HeadKind head, Pooling pooling) {
  Readout readout = MakeReadout({Feature::kMelAvgs, Feature::kClf1, Feature::kLogits}, pooling);
  if (head == HeadKind::kMlp) readout.features.Add(Feature::kClf2);
  for (const int block : {4, 5, 6, 11, 12, 13, 14, 15}) readout.features.Add(Se(block));
  for (int block = 0; block < kBlockCount; ++block) readout.features.Add(Block(block));
  return readout;
}

inline constexpr Pooling kPoolings[] = {Pooling::kAvgCh,       Pooling::kMaxCh,   Pooling::kAddAvgMaxCh,
                                        Pooling::kCatAvgMaxCh, Pooling::kAvgTime, Pooling::kAvgMaxTime};

// A network in a backend of its own, and windows to run.
class Fixture {
 public:
  struct Job {
    int frames;
    std::vector<Readout> readouts;
    uint32_t seed;
  };

  Fixture(std::shared_ptr<const NetworkWeights> weights, int mels, const NativeOptions& options = {})
      : weights_(std::move(weights)), mels_(mels), backend_(MakeNativeBackend(options).value()) {
    EXPECT_EQ(backend_->AddNetwork(weights_, {.n_mels = mels}).value(), 0);
    embedder_ = NewEmbedder();
  }

  std::unique_ptr<Embedder> NewEmbedder() { return backend_->NewEmbedder().value(); }
  Rows Embed(const std::vector<Job>& jobs) { return Embed(*embedder_, jobs); }
  Rows Embed(Embedder& embedder, const std::vector<Job>& jobs) {
    std::vector<RandomWindow> windows;
    Rows rows;
    std::vector<WindowRequest> requests;
    for (const Job& job : jobs) {
      windows.push_back(MakeRandomWindow(job.frames, mels_, job.seed));
      rows.emplace_back(RowSize(weights_->shape, mels_, job.readouts), NAN);
    }
    for (size_t i = 0; i < jobs.size(); ++i) requests.push_back({windows[i].window, jobs[i].readouts, rows[i].data()});
    const absl::Status status = embedder.Embed(0, requests);
    EXPECT_TRUE(status.ok()) << status;
    return rows;
  }

  // tolerance: of the larger of 1 and the largest value.
  void ExpectReferenceRow(const Job& job, double tolerance = 1e-5) {
    const std::vector<float> row = Embed({job})[0];
    const std::vector<double> expected =
        ReferenceRow(*weights_, MakeRandomWindow(job.frames, mels_, job.seed).window, job.readouts.front());
    ASSERT_EQ(row.size(), expected.size());
    double largest = 1;
    for (const double value : expected) largest = std::max(largest, std::abs(value));
    for (size_t i = 0; i < row.size(); ++i) {
      ASSERT_NEAR(row[i], expected[i], tolerance * largest)
          << "value " << i << " of " << row.size() << ", frames " << job.frames << ", mels " << mels_ << ", width "
          << weights_->width;
    }
  }

 private:
  const std::shared_ptr<const NetworkWeights> weights_;
  const int mels_;
  const std::unique_ptr<Backend> backend_;
  std::unique_ptr<Embedder> embedder_;
};

inline std::vector<Fixture::Job> MixedJobs(uint32_t count) {
  const Readout readouts[] = {
      MakeReadout({Feature::kMelAvgs, Block(5), Block(11), Block(13), Block(15)}),
      MakeReadout({Feature::kLogits, Feature::kClf1, Feature::kClf2}),
      MakeReadout({Se(5), Se(11), Se(13)}),
      MakeReadout({Block(0), Block(3)}, Pooling::kAvgMaxTime),
      MakeReadout({Block(15), Block(7)}, Pooling::kCatAvgMaxCh),
      MakeReadout({Feature::kMelAvgs}),
      MakeReadout({Feature::kClf1}),
  };
  const int frames[] = {16, 16, 64, 16, 2, 250, 16, 7};
  std::vector<Fixture::Job> jobs;
  for (uint32_t i = 0; i < count; ++i) jobs.push_back({frames[i % 8], {readouts[i % 7]}, i});
  return jobs;
}

// Timestamps and scenes of every pooling, features of all depths.
inline void ExpectSameBitsInAnyCompany(double width, HeadKind head, int mels, const NativeOptions& options = {}) {
  Fixture fixture(MakeRandomNetwork(width, head, 3), mels, options);
  std::vector<Fixture::Job> jobs;
  for (uint32_t i = 0; i < 72; ++i) {
    const int frames = i % 9 == 0 ? 300 : i % 5 == 0 ? 32 : 16;
    const Pooling pooling = kPoolings[i % std::size(kPoolings)];
    jobs.push_back({frames, {i % 4 == 1 ? MakeReadout({Block(2), Se(5)}, pooling) : EveryFeature(head, pooling)}, i});
  }
  const Rows together = fixture.Embed(jobs);
  for (size_t i = 0; i < jobs.size(); ++i) ASSERT_EQ(fixture.Embed({jobs[i]})[0], together[i]) << width << " " << i;
}

inline void ExpectSameBitsOfEveryWorker(const NativeOptions& options = {}) {
  Fixture fixture(MakeRandomNetwork(0.2, HeadKind::kMlp, 1), 128, options);
  const std::vector<Fixture::Job> jobs = MixedJobs(40);
  Rows rows[3];
  std::vector<std::thread> workers;
  for (Rows& mine : rows) {
    workers.emplace_back([&] {
      const std::unique_ptr<Embedder> embedder = fixture.NewEmbedder();
      for (int i = 0; i < 5; ++i) mine = fixture.Embed(*embedder, jobs);
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(rows[0], rows[1]);
  EXPECT_EQ(rows[0], rows[2]);
}

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_MODELS_NATIVE_BACKEND_FIXTURE_H_
