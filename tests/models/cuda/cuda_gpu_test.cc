// A GPU behind CUDA's driver, with a driver that fails where a test wants it to.

#include "models/cuda/cuda_gpu.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "models/cuda/cuda_driver.h"
#include "models/cuda/kernel_args.h"

namespace hearwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kKernels[] = "kernels";

template <typename Function>
Function* FakeFunction(const char* name) {
  return reinterpret_cast<Function*>(dlsym(dlopen(WHOLE_DRIVER, RTLD_NOW), name));
}

class CudaGpuTest : public testing::Test {
 protected:
  CudaGpuTest() : driver_(LoadCudaDriver(WHOLE_DRIVER).value()) {}
  ~CudaGpuTest() override {
    for (const std::string& function : failing_) fail_(function.c_str(), 0);
    EXPECT_EQ(leaks_(), 0);
  }

  void Fail(const char* function, int result) {
    fail_(function, result);
    failing_.push_back(function);
  }
  absl::StatusOr<std::unique_ptr<Gpu>> Open(int index = 0) { return OpenCudaGpu(driver_, kKernels, index); }
  absl::Status WhyNot(int index = 0) { return Open(index).status(); }

  const CudaDriver driver_;
  void (*const fail_)(const char*, int) = FakeFunction<void(const char*, int)>("FakeCudaFail");
  int (*const leaks_)() = FakeFunction<int()>("FakeCudaLeaks");
  int (*const launches_)() = FakeFunction<int()>("FakeCudaLaunches");
  std::vector<std::string> failing_;
};

GpuLaunch SomeLaunch() { return MakeLaunch(GpuKernel::hearwire_pool, 3, 128, 0, PoolArgs{}); }

TEST(CudaDriverTest, SaysWhatIsMissing) {
  const absl::Status none = LoadCudaDriver("libhearwire_nowhere.so.1").status();
  EXPECT_EQ(none.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(none.message(),
              AllOf(HasSubstr("no CUDA driver"), HasSubstr("libhearwire_nowhere.so.1"), HasSubstr("--device=cpu")));
  const absl::Status old = LoadCudaDriver(OLD_DRIVER).status();
  EXPECT_EQ(old.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(old.message(), AllOf(HasSubstr("cuGraphLaunch"), HasSubstr("too old")));
}

TEST_F(CudaGpuTest, ADriverThatDoesNotStartSaysWhy) {
  Fail("cuInit", 804);
  const absl::Status status = LoadCudaDriver(WHOLE_DRIVER).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("does not start"), HasSubstr("CUDA_ERROR_FAKE (804)")));
}

TEST_F(CudaGpuTest, ADeviceThatIsNotThereIsAFailedPrecondition) {
  EXPECT_EQ(WhyNot(1), absl::FailedPreconditionError("cuda:1: the machine has 1 CUDA devices"));
  EXPECT_EQ(WhyNot(-1).code(), absl::StatusCode::kFailedPrecondition);
  Fail("cuDeviceGetCount", 100);
  EXPECT_EQ(WhyNot(), absl::FailedPreconditionError("cuda:0: the machine has 0 CUDA devices"));
}

TEST_F(CudaGpuTest, ADeviceThatCannotBeUsedIsAFailedPrecondition) {
  Fail("cuDevicePrimaryCtxRetain", 2);
  EXPECT_EQ(WhyNot().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(WhyNot().message(), HasSubstr("cannot be used: CUDA_ERROR_OUT_OF_MEMORY (2)"));
}

TEST_F(CudaGpuTest, KernelsThatAreNotForTheDeviceAreAFailedPrecondition) {
  Fail("cuModuleLoadData", 209);
  EXPECT_EQ(WhyNot().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(WhyNot().message(), HasSubstr("compute capability 8.0"));
  Fail("cuModuleLoadData", 222);
  EXPECT_THAT(WhyNot().message(), HasSubstr("too old"));
  Fail("cuModuleLoadData", 0);
  Fail("cuModuleGetFunction", 500);
  EXPECT_EQ(WhyNot().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(WhyNot().message(), HasSubstr("hearwire_stem"));
}

TEST_F(CudaGpuTest, CopiesThereAndBackFromAnyThread) {
  const std::unique_ptr<Gpu> gpu = Open().value();
  EXPECT_EQ(gpu->device(), "cuda:0");
  EXPECT_EQ(gpu->multiprocessors(), 132);
  std::thread([&] {
    const GpuAddress memory = gpu->Allocate(16).value();
    char* const host = static_cast<char*>(gpu->AllocateHost(32).value());
    std::memcpy(host, "there and back.", 16);
    const std::unique_ptr<GpuStream> stream = gpu->NewStream().value();
    EXPECT_TRUE(stream->CopyIn(memory, host, 16).ok());
    EXPECT_TRUE(stream->CopyOut(host + 16, memory, 16).ok());
    EXPECT_TRUE(stream->Wait().ok());
    EXPECT_STREQ(host + 16, "there and back.");
    gpu->Free(memory);
    gpu->FreeHost(host);
  }).join();
}

TEST_F(CudaGpuTest, LaunchesAndRecords) {
  const std::unique_ptr<Gpu> gpu = Open().value();
  const std::unique_ptr<GpuStream> stream = gpu->NewStream().value();
  const int before = launches_();
  EXPECT_TRUE(stream->Launch({SomeLaunch(), SomeLaunch()}).ok());
  EXPECT_EQ(launches_(), before + 2);
  const std::unique_ptr<GpuGraph> graph = stream->Record({SomeLaunch()}).value();
  EXPECT_TRUE(stream->Launch(*graph).ok());
  Fail("cuGraphInstantiateWithFlags", 999);
  EXPECT_EQ(stream->Record({SomeLaunch()}).status().code(), absl::StatusCode::kInternal);
  Fail("cuLaunchKernel", 701);
  const absl::Status status = stream->Record({SomeLaunch()}).status();
  EXPECT_THAT(status.message(), HasSubstr("hearwire_pool"));
}

TEST_F(CudaGpuTest, TooLittleMemoryIsExhaustedResources) {
  const std::unique_ptr<Gpu> gpu = Open().value();
  Fail("cuMemAlloc_v2", 2);
  Fail("cuMemHostAlloc", 2);
  EXPECT_EQ(gpu->Allocate(16).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(gpu->AllocateHost(16).status().code(), absl::StatusCode::kResourceExhausted);
  Fail("cuEventCreate", 2);
  EXPECT_EQ(gpu->NewStream().status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(CudaGpuTest, TellsAFailureFromALostDevice) {
  const std::unique_ptr<Gpu> gpu = Open().value();
  const std::unique_ptr<GpuStream> stream = gpu->NewStream().value();
  Fail("cuEventSynchronize", 719);
  EXPECT_EQ(stream->Wait().code(), absl::StatusCode::kInternal);
  Fail("cuEventSynchronize", 0);
  EXPECT_TRUE(stream->Wait().ok());

  Fail("lost", 700);
  for (int i = 0; i < 2; ++i) {
    const absl::Status status = stream->Wait();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(status.message(), AllOf(HasSubstr("(700)"), HasSubstr("lost")));
  }
  EXPECT_EQ(stream->Launch({SomeLaunch()}).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(gpu->Allocate(16).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace hearwire
