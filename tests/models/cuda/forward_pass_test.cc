// The launches of forward passes as data: nothing runs here, and no address is real.

#include "models/cuda/forward_pass.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "models/chunks/chunk_shapes.h"
#include "tests/fixtures/random_network.h"

namespace hearwire {
namespace {

constexpr size_t kMaxSharedBytes = 99 << 10;  // cuda_gpu.cc asks for no more.

// Memory that nobody reads or writes.
class NoStream final : public GpuStream {
 public:
  absl::Status CopyIn(GpuAddress, const void*, size_t) override { return absl::OkStatus(); }
  absl::Status CopyOut(void*, GpuAddress, size_t) override { return absl::OkStatus(); }
  absl::Status Launch(absl::Span<const GpuLaunch>) override { return absl::OkStatus(); }
  absl::StatusOr<std::unique_ptr<GpuGraph>> Record(absl::Span<const GpuLaunch>) override {
    return absl::UnimplementedError("");
  }
  absl::Status Launch(const GpuGraph&) override { return absl::OkStatus(); }
  absl::Status Wait() override { return absl::OkStatus(); }
};

class NoGpu final : public Gpu {
 public:
  std::string device() const override { return "none"; }
  int multiprocessors() const override { return 132; }
  absl::StatusOr<GpuAddress> Allocate(size_t) override { return GpuAddress{1} << 40; }
  void Free(GpuAddress) override {}
  absl::StatusOr<void*> AllocateHost(size_t bytes) override { return std::malloc(bytes); }
  void FreeHost(void* memory) override { std::free(memory); }
  absl::StatusOr<std::unique_ptr<GpuStream>> NewStream() override { return std::make_unique<NoStream>(); }
};

struct Range {
  const float* begin;
  int64_t floats;

  const float* end() const { return begin + floats; }
  bool Overlaps(const Range& other) const { return begin < other.end() && other.begin < end(); }
};

// What a launch reads of maps and vectors, and what it writes. Rows that are apart from one another count as one range.
struct Access {
  std::vector<Range> reads;
  Range write;
};

Access AccessOf(const GpuLaunch& launch) {
  const std::string name = ToText(launch.kernel);
  if (absl::StrContains(name, "pointwise")) {
    const auto a = ArgsOf<PointwiseArgs>(launch);
    const int64_t rows = a.rows;
    Access access = {{{a.x, rows * a.terms}}, {a.y, (rows - 1) * a.row_stride + a.channels_out}};
    if (a.scale != nullptr) access.reads.push_back({a.scale, rows / a.positions * a.terms});
    if (a.residual != nullptr) access.reads.push_back({a.residual, rows * a.channels});
    return access;
  }
  if (absl::StrContains(name, "depthwise")) {
    const auto a = ArgsOf<DepthwiseArgs>(launch);
    return {{{a.x, int64_t{1} * a.windows * a.time * a.mels * a.channels}},
            {a.y, int64_t{1} * a.windows * a.time_out * a.mels_out * a.channels}};
  }
  if (name == "hearwire_stem") {
    const auto a = ArgsOf<StemArgs>(launch);
    return {{}, {a.y, int64_t{1} * a.windows * a.time * a.mels_out * a.channels}};
  }
  if (name == "hearwire_pool_frames") {
    const auto a = ArgsOf<PoolFramesArgs>(launch);
    return {{}, {a.y, int64_t{1} * (a.windows - 1) * a.row_stride + a.mels}};
  }
  const auto a = ArgsOf<PoolArgs>(launch);
  const int64_t values = name == "hearwire_pool" ? a.channels : int64_t{1} * a.channels * a.mels;
  return {{{a.x, int64_t{1} * a.windows * a.time * a.mels * a.channels}},
          {a.y, int64_t{1} * (a.windows - 1) * a.row_stride + values}};
}

std::vector<Readout> EveryFeature(HeadKind head) {
  std::vector<Readout> readouts;
  const auto add = [&](Feature feature, Pooling pooling) {
    Readout readout;
    readout.pooling = pooling;
    readout.features.Add(feature);
    readouts.push_back(readout);
  };
  for (const Feature feature : {Feature::kMelAvgs, Feature::kClf1, Feature::kLogits}) add(feature, Pooling::kAvgCh);
  if (head == HeadKind::kMlp) add(Feature::kClf2, Pooling::kAvgCh);
  for (const int block : {4, 5, 6, 11, 12, 13, 14, 15}) add(Se(block), Pooling::kAvgCh);
  for (int block = 0; block < kBlockCount; ++block) {
    for (const Pooling pooling : {Pooling::kAvgMaxTime, Pooling::kCatAvgMaxCh}) add(Block(block), pooling);
  }
  return readouts;
}

// Every launch reads what one earlier launch has written, whole, and overwrites nothing that it reads.
void CheckPass(const std::vector<GpuLaunch>& launches, const Range& scratch, const Range& columns) {
  std::vector<Range> written;  // In scratch, as it stands.
  for (const GpuLaunch& launch : launches) {
    SCOPED_TRACE(ToText(launch.kernel));
    ASSERT_LE(launch.shared_bytes, kMaxSharedBytes);
    ASSERT_GE(launch.blocks, 1u);
    ASSERT_LT(launch.blocks, 1u << 31);
    ASSERT_LE(launch.threads, 1024u);
    const Access access = AccessOf(launch);
    for (const Range& read : access.reads) {
      ASSERT_FALSE(read.Overlaps(access.write));
      int found = 0;
      for (const Range& range : written) {
        if (!range.Overlaps(read)) continue;
        ++found;
        ASSERT_EQ(range.begin, read.begin);
        ASSERT_EQ(range.floats, read.floats);
      }
      ASSERT_EQ(found, 1) << "it reads what nobody has written, or what was written over in part";
    }
    if (columns.Overlaps(access.write)) {
      ASSERT_GE(access.write.begin, columns.begin);
      ASSERT_LE(access.write.end(), columns.end());
      continue;
    }
    ASSERT_GE(access.write.begin, scratch.begin);
    ASSERT_LE(access.write.end(), scratch.end());
    std::erase_if(written, [&](const Range& range) { return range.Overlaps(access.write); });
    written.push_back(access.write);
  }
}

class ForwardPassTest : public testing::TestWithParam<double> {};
INSTANTIATE_TEST_SUITE_P(Widths, ForwardPassTest, testing::Values(0.1, 0.2, 0.4, 0.5, 0.7, 1.0, 2.0, 3.0, 4.0),
                         [](const auto& info) { return absl::StrCat("mn", static_cast<int>(10 * info.param + 0.5)); });

TEST_P(ForwardPassTest, ReadsWhatWasWrittenAndStaysWithinAGpusLimits) {
  const HeadKind head = GetParam() < 0.5 ? HeadKind::kFullyConvolutional : HeadKind::kMlp;
  const std::shared_ptr<const NetworkWeights> weights = MakeRandomNetwork(GetParam(), head, 1);
  NoGpu gpu;
  for (const int mels : {40, 128, 256}) {
    const std::unique_ptr<GpuNetwork> network = MakeGpuNetwork(gpu, *weights, mels).value();
    const ColumnPlan plan(weights->shape, mels, EveryFeature(head));
    std::vector<ChunkShape> shapes =
        AllChunkShapes({weights->shape, mels, 16, 1001}, {.max_frames = 32768, .pad_windows = true});
    shapes.push_back({201, 16, mels});
    shapes.push_back({1, 60000, mels});
    for (const ChunkShape& shape : shapes) {
      SCOPED_TRACE(absl::StrCat(shape.windows, " windows of ", shape.frames, " frames of ", mels, " bands"));
      const auto* const base = reinterpret_cast<const float*>(uintptr_t{1} << 44);
      const Range columns = {base, int64_t{1} * shape.windows * plan.width()};
      const Range scratch = {columns.end(), static_cast<int64_t>(PassFloats(weights->shape, shape))};
      const std::vector<GpuLaunch> launches = MakeForwardPass(*network, shape, plan,
                                                              {.rows = nullptr,
                                                               .index = nullptr,
                                                               .lengths = nullptr,
                                                               .columns = const_cast<float*>(columns.begin),
                                                               .scratch = const_cast<float*>(scratch.begin)},
                                                              gpu.multiprocessors());
      CheckPass(launches, scratch, columns);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(ForwardPassOfTest, GoesNoDeeperThanItIsAskedTo) {
  const std::shared_ptr<const NetworkWeights> weights = MakeRandomNetwork(0.1, HeadKind::kMlp, 1);
  NoGpu gpu;
  const std::unique_ptr<GpuNetwork> network = MakeGpuNetwork(gpu, *weights, 128).value();
  const auto launches = [&](Feature feature) {
    Readout readout;
    readout.features.Add(feature);
    const ColumnPlan plan(weights->shape, 128, {readout});
    return MakeForwardPass(*network, {4, 16, 128}, plan, {}, 132).size();
  };
  EXPECT_EQ(launches(Feature::kMelAvgs), 1u);
  EXPECT_EQ(launches(Block(0)), 2u);
  EXPECT_EQ(launches(Block(1)), 1u + 2u + 1u);
  EXPECT_LT(launches(Block(14)), launches(Block(15)));
  EXPECT_LT(launches(Block(15)), launches(Feature::kClf1));
  EXPECT_LT(launches(Feature::kClf1), launches(Feature::kLogits));
}

}  // namespace
}  // namespace hearwire
