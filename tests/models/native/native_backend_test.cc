#include "models/native/native_backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "tests/models/native/backend_fixture.h"
#include "tests/models/native/targets.h"

namespace hearwire {
namespace {

class NativeBackendTargetTest : public TargetTest {};
INSTANTIATE_TEST_SUITE_P(Targets, NativeBackendTargetTest, AllTargets(), NameOfTarget);

TEST_P(NativeBackendTargetTest, ComputesTheNetwork) {
  Fixture mlp(MakeRandomNetwork(0.4, HeadKind::kMlp, 1), 128);
  for (const Pooling pooling : kPoolings) mlp.ExpectReferenceRow({16, {EveryFeature(HeadKind::kMlp, pooling)}, 3});
  Fixture convolutional(MakeRandomNetwork(0.1, HeadKind::kFullyConvolutional, 2), 64);
  convolutional.ExpectReferenceRow({21, {EveryFeature(HeadKind::kFullyConvolutional, Pooling::kCatAvgMaxCh)}, 4});
}

TEST_P(NativeBackendTargetTest, TakesAnyNumberOfClasses) {
  for (const int classes : {1, 10, 50, 1001}) {
    for (const HeadKind head : {HeadKind::kMlp, HeadKind::kFullyConvolutional}) {
      Fixture fixture(MakeRandomNetwork(0.1, head, 1, classes), 40);
      fixture.ExpectReferenceRow({8, {MakeReadout({Feature::kClf1, Feature::kLogits, Block(15)})}, 2});
    }
  }
}

TEST_P(NativeBackendTargetTest, GivesARowThatDoesNotDependOnItsCompany) {
  Fixture fixture(MakeRandomNetwork(0.2, HeadKind::kMlp, 1), 64);
  const std::vector<Fixture::Job> jobs = MixedJobs(41);
  const Rows together = fixture.Embed(jobs);
  for (size_t i = 0; i < jobs.size(); ++i) ASSERT_EQ(fixture.Embed({jobs[i]})[0], together[i]) << i;
}

// Readouts of all depths and poolings, in an order that is not that of their depths, one of them twice.
TEST_P(NativeBackendTargetTest, ReadsSeveralReadoutsOutOfOnePass) {
  Fixture fixture(MakeRandomNetwork(0.2, HeadKind::kMlp, 1), 64);
  std::vector<Readout> readouts = {MakeReadout({Feature::kMelAvgs, Block(5)}, Pooling::kMaxCh),
                                   MakeReadout({Feature::kLogits}), MakeReadout({Block(2), Se(5)}, Pooling::kAvgTime)};
  for (const Pooling pooling : kPoolings) readouts.push_back(EveryFeature(HeadKind::kMlp, pooling));
  readouts.push_back(readouts.front());
  for (const int frames : {2, 16, 64}) {
    std::vector<float> alone;
    for (const Readout& readout : readouts) {
      const std::vector<float> row = fixture.Embed({{frames, {readout}, 5}})[0];
      alone.insert(alone.end(), row.begin(), row.end());
    }
    EXPECT_EQ(fixture.Embed({{frames, readouts, 5}})[0], alone) << frames;
    // Beside windows that go less far, and between others.
    const Rows together =
        fixture.Embed({{frames, {readouts[2]}, 6}, {frames, readouts, 5}, {frames, {readouts[0]}, 7}});
    EXPECT_EQ(together[1], alone) << frames;
  }
}

// How far a window goes says the deepest of its readouts, wherever it stands.
TEST(NativeBackendTest, GoesAsFarAsTheDeepestReadout) {
  Fixture fixture(MakeRandomNetwork(0.1, HeadKind::kMlp, 1), 64);
  const Readout shallow = MakeReadout({Block(1)}, Pooling::kMaxCh), deep = MakeReadout({Feature::kLogits});
  std::vector<float> expected = fixture.Embed({{16, {shallow}, 1}})[0];
  const std::vector<float> logits = fixture.Embed({{16, {deep}, 1}})[0];
  std::vector<float> reversed = logits;
  reversed.insert(reversed.end(), expected.begin(), expected.end());
  expected.insert(expected.end(), logits.begin(), logits.end());
  EXPECT_EQ(fixture.Embed({{16, {shallow, deep}, 1}})[0], expected);
  EXPECT_EQ(fixture.Embed({{16, {deep, shallow}, 1}})[0], reversed);
}

TEST_P(NativeBackendTargetTest, IsSlowBelowAvx2) {
#if defined(__x86_64__)
  EXPECT_EQ(NativeInstructionSetIsSlow(), (GetParam() & (HWY_AVX2 | HWY_AVX3 | HWY_AVX3_DL)) == 0);
#else
  EXPECT_FALSE(NativeInstructionSetIsSlow());
#endif
}

TEST(NativeBackendTest, SaysWhatItIs) {
  const std::unique_ptr<Backend> backend = MakeNativeBackend().value();
  EXPECT_EQ(backend->name(), "native");
  EXPECT_EQ(backend->device(), "cpu");
  EXPECT_EQ(backend->precision(), "float32");
  EXPECT_NE(NativeInstructionSet(), "");
}

TEST(NativeBackendTest, ComputesEveryWidth) {
  for (const double width : {0.1, 0.2, 0.5, 1.0, 2.0}) {
    const HeadKind head = width == 1.0 ? HeadKind::kFullyConvolutional : HeadKind::kMlp;
    Fixture fixture(MakeRandomNetwork(width, head, 7), 128);
    fixture.ExpectReferenceRow({16, {EveryFeature(head, Pooling::kAvgCh)}, 1});
  }
}

TEST(NativeBackendTest, ComputesSpectrogramsOfEverySize) {
  for (const int mels : {1, 40, 64, 128, 256}) {
    Fixture fixture(MakeRandomNetwork(0.1, HeadKind::kMlp, 5), mels);
    for (const int frames : {1, 2, 3, 5, 7, 11, 16, 32, 33, 64, 128, 999}) {
      if (frames == 999 && mels != 128 && mels != 40) continue;
      fixture.ExpectReferenceRow({frames, {EveryFeature(HeadKind::kMlp, Pooling::kAvgTime)}, 9});
    }
  }
}

// Maps of a long scene of a wide network pass through the cache in many pieces.
TEST(NativeBackendTest, ComputesLongScenes) {
  Fixture fixture(MakeRandomNetwork(1.0, HeadKind::kMlp, 5), 128);
  fixture.ExpectReferenceRow({1000, {EveryFeature(HeadKind::kMlp, Pooling::kCatAvgMaxCh)}, 9});
}

TEST(NativeBackendTest, GivesLargeBatchesTheSameBits) {
  Fixture fixture(MakeRandomNetwork(0.4, HeadKind::kMlp, 1), 128);
  std::vector<Fixture::Job> jobs = MixedJobs(300);
  jobs.push_back({1000, jobs[0].readouts, 1000});
  const Rows together = fixture.Embed(jobs);
  std::reverse(jobs.begin(), jobs.end());
  Rows reversed = fixture.Embed(jobs);
  std::reverse(reversed.begin(), reversed.end());
  EXPECT_EQ(together, reversed);
  for (size_t i = 0; i < jobs.size(); i += 7) {
    ASSERT_EQ(fixture.Embed({jobs[jobs.size() - 1 - i]})[0], together[i]) << i;
  }
}

TEST(NativeBackendTest, GivesEveryNetworkTheSameBitsInAnyCompany) {
  for (const auto& [width, head, mels] :
       {std::tuple(0.1, HeadKind::kFullyConvolutional, 40), std::tuple(0.4, HeadKind::kFullyConvolutional, 128),
        std::tuple(0.5, HeadKind::kMlp, 64), std::tuple(1.0, HeadKind::kMlp, 128)}) {
    ExpectSameBitsInAnyCompany(width, head, mels);
  }
}

TEST(NativeBackendTest, GivesEveryWorkerTheSameBits) { ExpectSameBitsOfEveryWorker(); }

TEST(NativeBackendTest, PlainKernelsAgreeWithTheBest) {
  const auto weights = MakeRandomNetwork(0.1, HeadKind::kMlp, 1);
  const std::vector<Fixture::Job> jobs = {{16, {EveryFeature(HeadKind::kMlp, Pooling::kAvgCh)}, 1}};
  const std::vector<float> best = Fixture(weights, 128).Embed(jobs)[0];
  const std::vector<float> plain = Fixture(weights, 128, {.plain_kernels = true}).Embed(jobs)[0];
  float largest = 1;
  for (const float value : plain) largest = std::max(largest, std::abs(value));
  for (size_t i = 0; i < best.size(); ++i) EXPECT_NEAR(best[i], plain[i], 1e-5f * largest);
}

TEST(NativeBackendTest, RunsSeveralNetworks) {
  const auto first = MakeRandomNetwork(0.1, HeadKind::kMlp, 1);
  const auto second = MakeRandomNetwork(0.2, HeadKind::kFullyConvolutional, 2);
  const std::unique_ptr<Backend> backend = MakeNativeBackend().value();
  EXPECT_EQ(backend->AddNetwork(first, {}).value(), 0);
  EXPECT_EQ(backend->AddNetwork(second, {.n_mels = 40}).value(), 1);
  const std::unique_ptr<Embedder> embedder = backend->NewEmbedder().value();
  const Readout logits = MakeReadout({Feature::kLogits});
  const RandomWindow wide = MakeRandomWindow(16, 128, 1), narrow = MakeRandomWindow(16, 40, 1);
  std::vector<float> rows[2] = {std::vector<float>(527), std::vector<float>(527)};
  ASSERT_TRUE(embedder->Embed(0, {{wide.window, {&logits, 1}, rows[0].data()}}).ok());
  ASSERT_TRUE(embedder->Embed(1, {{narrow.window, {&logits, 1}, rows[1].data()}}).ok());
  EXPECT_EQ(rows[0], Fixture(first, 128).Embed({{16, {logits}, 1}})[0]);
  EXPECT_EQ(rows[1], Fixture(second, 40).Embed({{16, {logits}, 1}})[0]);
}

TEST(NativeBackendTest, NetworksComeAndGoWhileAnEmbedderRuns) {
  const auto first = MakeRandomNetwork(0.1, HeadKind::kMlp, 1);
  const auto second = MakeRandomNetwork(0.2, HeadKind::kFullyConvolutional, 2);
  const std::unique_ptr<Backend> backend = MakeNativeBackend().value();
  ASSERT_TRUE(backend->networks_may_come_later());
  const std::unique_ptr<Embedder> embedder = backend->NewEmbedder().value();
  const Readout logits = MakeReadout({Feature::kLogits});
  const RandomWindow window = MakeRandomWindow(16, 128, 1);
  std::vector<float> row(527);
  const auto run = [&](int network) { return embedder->Embed(network, {{window.window, {&logits, 1}, row.data()}}); };
  EXPECT_TRUE(absl::IsInternal(run(0)));
  EXPECT_EQ(backend->AddNetwork(first, {}).value(), 0);
  EXPECT_EQ(backend->AddNetwork(first, {}).value(), 1);
  ASSERT_TRUE(run(0).ok());
  EXPECT_EQ(row, Fixture(first, 128).Embed({{16, {logits}, 1}})[0]);
  backend->RemoveNetwork(0);
  EXPECT_TRUE(absl::IsInternal(run(0)));
  EXPECT_TRUE(run(1).ok());
  // Another one, of another shape, has the free index; what the embedder kept of the first must not serve it.
  EXPECT_EQ(backend->AddNetwork(second, {}).value(), 0);
  ASSERT_TRUE(run(0).ok());
  EXPECT_EQ(row, Fixture(second, 128).Embed({{16, {logits}, 1}})[0]);
  EXPECT_EQ(backend->AddNetwork(first, {}).value(), 2);
  backend->RemoveNetwork(-1);
  backend->RemoveNetwork(9);
}

TEST(NativeBackendTest, RefusesWhatItCannotRun) {
  const std::unique_ptr<Backend> backend = MakeNativeBackend().value();
  ASSERT_TRUE(backend->AddNetwork(MakeRandomNetwork(0.1, HeadKind::kMlp, 1), {}).ok());
  const std::unique_ptr<Embedder> embedder = backend->NewEmbedder().value();
  EXPECT_TRUE(embedder->Embed(0, {}).ok());
  EXPECT_EQ(embedder->Embed(1, {}).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(embedder->Embed(-1, {}).code(), absl::StatusCode::kInternal);
  const RandomWindow narrow = MakeRandomWindow(16, 64, 1);
  std::vector<float> row(128);
  const Readout mel_averages = MakeReadout({Feature::kMelAvgs});
  EXPECT_EQ(embedder->Embed(0, {{narrow.window, {&mel_averages, 1}, row.data()}}).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(embedder->Embed(0, {{Window{.runs = {}, .mels = 128}, {&mel_averages, 1}, row.data()}}).code(),
            absl::StatusCode::kInternal);
  const RandomWindow window = MakeRandomWindow(16, 128, 1);
  EXPECT_EQ(embedder->Embed(0, {{window.window, {}, row.data()}}).code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace hearwire
