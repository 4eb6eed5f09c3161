#include "models/torch/torch_errors.h"

#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <string>

namespace hearwire {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr c10::SourceLocation kHere = {"a function", "a file", 1};

// As ATen's TORCH_CHECK throws.
absl::Status FailWith(const std::string& message, const std::function<bool()>& device_lost = {}) {
  return CatchTorchErrors([&] { throw c10::Error(kHere, message); }, device_lost);
}

bool Lost() { return true; }
bool Answers() { return false; }

TEST(TorchErrorsTest, RunsInInferenceMode) {
  bool inference = false;
  EXPECT_TRUE(CatchTorchErrors([&] { inference = c10::InferenceMode::is_enabled(); }).ok());
  EXPECT_TRUE(inference);
}

TEST(TorchErrorsTest, KnowsAShortageThatSaysSo) {
  for (const char* message : {
           "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.11 GiB",
           "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory",
           "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
           "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
           "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
           "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
       }) {
    // It is one of this batch: the device is not asked.
    const absl::Status status = FailWith(message, Lost);
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("does not support")));
  }
}

TEST(TorchErrorsTest, KnowsAShortageThatCudnnsErrorsWereDroppedOf) {
  for (const char* message : {
           "FIND was unable to find an engine to execute this computation",
           "GET was unable to find an engine to execute this computation",
           "Unable to find an engine to execute this computation",
           "Unable to find a valid cuDNN algorithm to run convolution",
           "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
           "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
       }) {
    for (const std::function<bool()>& device_lost : {std::function<bool()>(), std::function<bool()>(Answers)}) {
      const absl::Status status = FailWith(message, device_lost);
      EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr(message));
      EXPECT_THAT(std::string(status.message()), HasSubstr("does not support"));
    }
    // A lost device fails in every engine, too.
    EXPECT_TRUE(absl::IsUnavailable(FailWith(message, Lost))) << message;
  }
}

TEST(TorchErrorsTest, KnowsTheExceptionsOfAShortage) {
  const auto status = [](auto error) { return CatchTorchErrors([&] { throw error; }, Lost); };
  EXPECT_TRUE(absl::IsResourceExhausted(status(c10::OutOfMemoryError(kHere, "Not enough memory for workspace!"))));
  EXPECT_TRUE(absl::IsResourceExhausted(status(c10::AcceleratorError(kHere, 2, "CUDA error"))));
  EXPECT_TRUE(absl::IsResourceExhausted(status(std::bad_alloc())));
  EXPECT_TRUE(absl::IsUnavailable(status(c10::AcceleratorError(kHere, 700, "CUDA error"))));
  EXPECT_TRUE(absl::IsUnavailable(status(std::runtime_error("any"))));
}

TEST(TorchErrorsTest, CallsTheRestInternalWhileTheDeviceAnswers) {
  for (const char* message : {"cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", "CUDA error: an illegal memory access"}) {
    const absl::Status status = FailWith(message, Answers);
    EXPECT_TRUE(absl::IsInternal(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }
}

TEST(TorchErrorsTest, GivesTheFirstLineOnly) {
  EXPECT_THAT(std::string(FailWith("what failed\nframe #0: 0x00007f").message()), Not(HasSubstr("frame")));
}

}  // namespace
}  // namespace hearwire
