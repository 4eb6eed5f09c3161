// Counts allocations: this program replaces operator new.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <iterator>
#include <new>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "models/native/native_backend.h"
#include "tests/fixtures/random_network.h"

namespace {
std::atomic<int> allocations = 0;
std::atomic<int> workspaces_left = -1;  // Of the kernels' aligned memory; negative: as many as are asked for.

void* Allocate(std::size_t size, std::size_t alignment) {
  ++allocations;
  void* const p = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
}  // namespace

void* operator new(std::size_t size) { return Allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  if (workspaces_left == 0) throw std::bad_alloc();
  if (workspaces_left > 0) --workspaces_left;
  return Allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace hearwire {
namespace {

// Windows of timestamps and of scenes, every pooling and feature, in batches of several sizes.
TEST(NativeBackendAllocationTest, AllocatesNothingForBatchesNoLargerThanEarlierOnes) {
  for (const auto& [width, head, precision] :
       {std::tuple(0.1, HeadKind::kMlp, "float32"), std::tuple(0.4, HeadKind::kFullyConvolutional, "float32"),
        std::tuple(1.0, HeadKind::kMlp, "float32"), std::tuple(1.0, HeadKind::kMlp, "bfloat16")}) {
    if (precision == std::string("bfloat16") && !NativeHasBfloat16()) continue;
    const std::unique_ptr<Backend> backend = MakeNativeBackend({.precision = precision}).value();
    const auto weights = MakeRandomNetwork(width, head, 1);
    ASSERT_TRUE(backend->AddNetwork(weights, {}).ok());
    const std::unique_ptr<Embedder> embedder = backend->NewEmbedder().value();

    Readout readouts[6], heads;
    constexpr Pooling kPoolings[] = {Pooling::kAvgCh,       Pooling::kMaxCh,   Pooling::kAddAvgMaxCh,
                                     Pooling::kCatAvgMaxCh, Pooling::kAvgTime, Pooling::kAvgMaxTime};
    for (size_t i = 0; i < std::size(readouts); ++i) {
      readouts[i].pooling = kPoolings[i];
      for (const int block : {0, 5, 11, 13, 15}) readouts[i].features.Add(Block(block));
    }
    for (const Feature feature : {Feature::kMelAvgs, Feature::kClf1, Feature::kLogits, Se(5), Se(15)}) {
      heads.features.Add(feature);
    }
    if (head == HeadKind::kMlp) heads.features.Add(Feature::kClf2);
    std::vector<RandomWindow> windows;
    std::vector<std::vector<float>> rows;
    std::vector<WindowRequest> batch;
    for (uint32_t i = 0; i < 40; ++i) {
      const absl::Span<const Readout> asked = i % 7 == 0   ? absl::Span<const Readout>(readouts)
                                              : i % 3 == 0 ? absl::MakeConstSpan(&heads, 1)
                                                           : absl::MakeConstSpan(&readouts[i / 3 % 6], 1);
      windows.push_back(MakeRandomWindow(i == 11 ? 250 : i % 5 == 0 ? 128 : 16, 128, i));
      rows.emplace_back(RowSize(weights->shape, 128, asked));
      batch.push_back({windows.back().window, asked, rows.back().data()});
    }
    const int before_first = allocations;
    ASSERT_TRUE(embedder->Embed(0, batch).ok());
    EXPECT_GT(allocations, before_first) << "the count does not count";
    const int before = allocations;
    for (const size_t size : {40, 1, 33}) {
      ASSERT_TRUE(embedder->Embed(0, absl::MakeConstSpan(batch).subspan(0, size)).ok());
    }
    EXPECT_EQ(allocations, before) << "width " << width << " " << precision;
  }
}

TEST(NativeBackendAllocationTest, SaysThatMemoryIsTooLittleAndGoesOn) {
  const std::unique_ptr<Backend> backend = MakeNativeBackend().value();
  const auto weights = MakeRandomNetwork(0.1, HeadKind::kMlp, 1);
  ASSERT_TRUE(backend->AddNetwork(weights, {}).ok());
  Readout readout;
  readout.features.Add(Feature::kLogits);
  const RandomWindow window = MakeRandomWindow(100, 128, 1);
  std::vector<float> row(ReadoutSize(weights->shape, 128, readout)), expected(row.size());
  const std::vector<WindowRequest> batch = {{window.window, {&readout, 1}, row.data()}};
  const std::vector<WindowRequest> undisturbed = {{window.window, {&readout, 1}, expected.data()}};
  ASSERT_TRUE(backend->NewEmbedder().value()->Embed(0, undisturbed).ok());

  const std::unique_ptr<Embedder> embedder = backend->NewEmbedder().value();
  int failures = 0;
  absl::Status status = absl::UnknownError("not run");
  for (; !status.ok(); ++failures) {
    ASSERT_LT(failures, 100);
    workspaces_left = failures;  // One more each time.
    status = embedder->Embed(0, batch);
    workspaces_left = -1;
    ASSERT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
  }
  EXPECT_GT(failures, 3);
  EXPECT_EQ(row, expected);
}

}  // namespace
}  // namespace hearwire
