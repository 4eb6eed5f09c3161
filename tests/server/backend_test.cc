#include "server/backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "server/concurrency/steady_time.h"
#include "server/telemetry/log.h"
#include "tests/models/native/targets.h"

namespace hearwire {
namespace {

using ::testing::HasSubstr;

constexpr bool kCudaIsThere = true;
constexpr bool kNoCuda = false;

ServerOptions Options(DeviceChoice device, BackendChoice backend, Precision precision = Precision::kFloat32) {
  ServerOptions options;
  options.device = device;
  options.backend = backend;
  options.precision = precision;
  return options;
}

// "torch on cuda", with "?" when it may fall back to the native one.
std::string Plan(const ServerOptions& options, bool cuda) {
  const absl::StatusOr<BackendPlan> plan = PlanBackend(options, cuda);
  if (!plan.ok()) return std::string(plan.status().message());
  return std::string(plan->torch ? "torch" : "native") + " on " + plan->device + (plan->may_fall_back ? "?" : "");
}

TEST(PlanBackendTest, TakesCudaOnlyWhereItIsThereUnlessAskedFor) {
  EXPECT_EQ(Plan(Options(DeviceChoice::kAuto, BackendChoice::kAuto), kNoCuda), "native on cpu");
  EXPECT_EQ(Plan(Options(DeviceChoice::kAuto, BackendChoice::kAuto), kCudaIsThere), "torch on cuda?");
  EXPECT_EQ(Plan(Options(DeviceChoice::kCuda, BackendChoice::kAuto), kNoCuda), "torch on cuda")
      << "whoever asks for it hears why it is not there";
  EXPECT_EQ(Plan(Options(DeviceChoice::kCpu, BackendChoice::kAuto), kCudaIsThere), "native on cpu");
}

TEST(PlanBackendTest, TakesTheBackendThatIsAskedFor) {
  EXPECT_EQ(Plan(Options(DeviceChoice::kAuto, BackendChoice::kNative), kCudaIsThere), "native on cpu");
  EXPECT_EQ(Plan(Options(DeviceChoice::kAuto, BackendChoice::kTorch), kNoCuda), "torch on cpu");
  EXPECT_EQ(Plan(Options(DeviceChoice::kCpu, BackendChoice::kTorch), kCudaIsThere), "torch on cpu");
  EXPECT_EQ(Plan(Options(DeviceChoice::kAuto, BackendChoice::kTorch), kCudaIsThere), "torch on cuda");
}

TEST(PlanBackendTest, RefusesWhatDoesNotGoTogether) {
  EXPECT_THAT(Plan(Options(DeviceChoice::kCuda, BackendChoice::kNative), kCudaIsThere), HasSubstr("--device=cpu"));
  EXPECT_THAT(Plan(Options(DeviceChoice::kCpu, BackendChoice::kAuto, Precision::kFloat16), kCudaIsThere),
              HasSubstr("--device=cuda"));
  EXPECT_THAT(Plan(Options(DeviceChoice::kAuto, BackendChoice::kNative, Precision::kFloat16), kCudaIsThere),
              HasSubstr("--backend=torch"));
  EXPECT_THAT(Plan(Options(DeviceChoice::kAuto, BackendChoice::kAuto, Precision::kFloat16), kNoCuda),
              HasSubstr("driver"));
}

TEST(PlanBackendTest, NeverGivesAnotherPrecisionThanAskedFor) {
  EXPECT_EQ(Plan(Options(DeviceChoice::kAuto, BackendChoice::kAuto, Precision::kFloat16), kCudaIsThere),
            "torch on cuda");
}

class MakeBackendTest : public TargetTest {};
INSTANTIATE_TEST_SUITE_P(Targets, MakeBackendTest, AllTargets(), NameOfTarget);

TEST_P(MakeBackendTest, NamesItsKernelsAndWarnsOnceOfSlowOnes) {
  testing::internal::CaptureStderr();
  const absl::StatusOr<std::unique_ptr<Backend>> backend =
      MakeBackend(Options(DeviceChoice::kCpu, BackendChoice::kNative));
  ASSERT_TRUE(FlushLog(SteadyTime::Now() + absl::Seconds(60)));
  const std::string log = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(backend.ok()) << backend.status();
  EXPECT_EQ((*backend)->name(), "native");
#if defined(__x86_64__)
  if ((GetParam() & (HWY_AVX2 | HWY_AVX3 | HWY_AVX3_DL)) == 0) {
    EXPECT_THAT(log, HasSubstr(std::string("warning this processor lacks the instructions that the native backend is "
                                           "fast with kernels=") +
                               hwy::TargetName(GetParam()) + "\n"));
    EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
    return;
  }
#endif
  EXPECT_THAT(log, HasSubstr(std::string("info kernels chosen for this processor kernels=") +
                             hwy::TargetName(GetParam()) + "\n"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
}

}  // namespace
}  // namespace hearwire
