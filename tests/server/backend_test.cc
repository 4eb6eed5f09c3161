#include "server/backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "server/concurrency/steady_time.h"
#include "server/telemetry/log.h"
#include "tests/fixtures/fake_embedder.h"
#include "tests/models/native/targets.h"

namespace hearwire {
namespace {

using ::testing::AllOf;
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

// "torch on cuda, native on cpu", or why not.
std::string Plan(const ServerOptions& options, bool cuda, bool kernels = true, bool bfloat16 = true) {
  const absl::StatusOr<std::vector<BackendPlan>> plans = PlanBackends(options, cuda, kernels, bfloat16);
  if (!plans.ok()) return std::string(plans.status().message());
  std::string text;
  for (const BackendPlan& plan : *plans) {
    text += (text.empty() ? "" : ", ") + std::string(ToText(plan.backend)) + " on " + plan.device;
    if (plan.precision != Precision::kFloat32) text += " in " + std::string(ToText(plan.precision));
  }
  return text;
}

TEST(PlanBackendsTest, TakesCudaOnlyWhereItIsThereUnlessAskedFor) {
  EXPECT_EQ(Plan(Options(DeviceChoice::kAuto, BackendChoice::kAuto), kNoCuda), "native on cpu");
  EXPECT_EQ(Plan(Options(DeviceChoice::kAuto, BackendChoice::kAuto), kCudaIsThere), "cuda on cuda, native on cpu");
  EXPECT_EQ(Plan(Options(DeviceChoice::kAuto, BackendChoice::kAuto), kCudaIsThere, /*kernels=*/false),
            "torch on cuda, native on cpu");
  EXPECT_EQ(Plan(Options(DeviceChoice::kCuda, BackendChoice::kAuto), kNoCuda), "cuda on cuda")
      << "whoever asks for it hears why it is not there";
  EXPECT_EQ(Plan(Options(DeviceChoice::kCpu, BackendChoice::kAuto), kCudaIsThere), "native on cpu");
}

TEST(PlanBackendsTest, TakesTheBackendThatIsAskedFor) {
  EXPECT_EQ(Plan(Options(DeviceChoice::kAuto, BackendChoice::kNative), kCudaIsThere), "native on cpu");
  EXPECT_EQ(Plan(Options(DeviceChoice::kAuto, BackendChoice::kTorch), kNoCuda), "torch on cpu");
  EXPECT_EQ(Plan(Options(DeviceChoice::kCpu, BackendChoice::kTorch), kCudaIsThere), "torch on cpu");
  EXPECT_EQ(Plan(Options(DeviceChoice::kAuto, BackendChoice::kTorch), kCudaIsThere), "torch on cuda, torch on cpu");
  EXPECT_EQ(Plan(Options(DeviceChoice::kAuto, BackendChoice::kCuda), kNoCuda), "cuda on cuda");
  EXPECT_EQ(Plan(Options(DeviceChoice::kCuda, BackendChoice::kCuda), kCudaIsThere, /*kernels=*/false), "cuda on cuda");
}

TEST(PlanBackendsTest, RefusesWhatDoesNotGoTogether) {
  EXPECT_THAT(Plan(Options(DeviceChoice::kCuda, BackendChoice::kNative), kCudaIsThere), HasSubstr("--device=cpu"));
  EXPECT_THAT(Plan(Options(DeviceChoice::kCpu, BackendChoice::kCuda), kCudaIsThere), HasSubstr("--device=cuda"));
  EXPECT_THAT(Plan(Options(DeviceChoice::kCuda, BackendChoice::kCuda, Precision::kFloat16), kCudaIsThere),
              HasSubstr("--backend=torch"));
  EXPECT_THAT(Plan(Options(DeviceChoice::kCpu, BackendChoice::kAuto, Precision::kFloat16), kCudaIsThere),
              HasSubstr("--device=cuda"));
  EXPECT_THAT(Plan(Options(DeviceChoice::kAuto, BackendChoice::kNative, Precision::kFloat16), kCudaIsThere),
              HasSubstr("--backend=torch"));
  EXPECT_THAT(Plan(Options(DeviceChoice::kAuto, BackendChoice::kAuto, Precision::kFloat16), kNoCuda),
              HasSubstr("driver"));
}

TEST(PlanBackendsTest, NeverGivesAnotherPrecisionThanAskedFor) {
  EXPECT_EQ(Plan(Options(DeviceChoice::kAuto, BackendChoice::kAuto, Precision::kFloat16), kCudaIsThere),
            "torch on cuda in float16");
  EXPECT_EQ(Plan(Options(DeviceChoice::kAuto, BackendChoice::kAuto, Precision::kBfloat16), kCudaIsThere),
            "native on cpu in bfloat16");
}

TEST(PlanBackendsTest, RefusesBfloat16WhereItCannotBeHad) {
  EXPECT_THAT(Plan(Options(DeviceChoice::kCpu, BackendChoice::kNative, Precision::kBfloat16), kNoCuda,
                   /*kernels=*/true, /*bfloat16=*/false),
              HasSubstr("a processor with AVX512-BF16, which this one lacks: use --precision=float32"));
  EXPECT_THAT(Plan(Options(DeviceChoice::kCuda, BackendChoice::kAuto, Precision::kBfloat16), kCudaIsThere),
              HasSubstr("--device=cpu"));
  EXPECT_THAT(Plan(Options(DeviceChoice::kAuto, BackendChoice::kTorch, Precision::kBfloat16), kCudaIsThere),
              HasSubstr("--backend=native"));
}

TEST(PlanBackendsTest, TakesBfloat16ByItselfOnlyWhereOneSpaceComesOfIt) {
  const auto plan = [](DeviceChoice device, BackendChoice backend, bool cuda, bool bfloat16) {
    return Plan(Options(device, backend, Precision::kAuto), cuda, /*kernels=*/true, bfloat16);
  };
  EXPECT_EQ(plan(DeviceChoice::kAuto, BackendChoice::kAuto, kNoCuda, true), "native on cpu in bfloat16");
  EXPECT_EQ(plan(DeviceChoice::kCpu, BackendChoice::kNative, kCudaIsThere, true), "native on cpu in bfloat16");
  EXPECT_EQ(plan(DeviceChoice::kAuto, BackendChoice::kAuto, kNoCuda, false), "native on cpu");
  EXPECT_EQ(plan(DeviceChoice::kAuto, BackendChoice::kAuto, kCudaIsThere, true), "cuda on cuda, native on cpu");
  EXPECT_EQ(plan(DeviceChoice::kCpu, BackendChoice::kTorch, kNoCuda, true), "torch on cpu");
  EXPECT_THAT(plan(DeviceChoice::kCuda, BackendChoice::kNative, kCudaIsThere, true), HasSubstr("--device=cpu"));
}

// Loads plans of which some fail, and returns the devices of the backends and what was logged.
class LoadBackendsTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::vector<std::unique_ptr<Backend>>> Load(const std::vector<BackendPlan>& plans,
                                                             const std::string& failing_device) {
    testing::internal::CaptureStderr();
    auto backends = LoadBackends(plans, [&](const BackendPlan& plan) -> absl::StatusOr<std::unique_ptr<Backend>> {
      if (plan.device == failing_device) return absl::FailedPreconditionError("the driver is too old");
      return std::make_unique<FakeBackend>(std::string(ToText(plan.backend)), plan.device);
    });
    EXPECT_TRUE(FlushLog(SteadyTime::Now() + absl::Seconds(60)));
    log_ = testing::internal::GetCapturedStderr();
    return backends;
  }
  std::string log_;
};

TEST_F(LoadBackendsTest, LoadsAllInTheirOrder) {
  const auto backends = Load({{BackendChoice::kTorch, "cuda"}, {BackendChoice::kNative, "cpu"}}, "");
  ASSERT_TRUE(backends.ok()) << backends.status();
  ASSERT_EQ(backends->size(), 2u);
  EXPECT_EQ((*backends)[0]->device(), "cuda");
  EXPECT_EQ((*backends)[1]->device(), "cpu");
  EXPECT_EQ(log_, "");
}

TEST_F(LoadBackendsTest, LeavesOutWhatItCanDoWithoutWithOneWarning) {
  const auto backends = Load({{BackendChoice::kTorch, "cuda"}, {BackendChoice::kNative, "cpu"}}, "cuda");
  ASSERT_TRUE(backends.ok()) << backends.status();
  ASSERT_EQ(backends->size(), 1u);
  EXPECT_EQ((*backends)[0]->device(), "cpu");
  EXPECT_THAT(log_, AllOf(HasSubstr("warning"), HasSubstr("the driver is too old")));
  EXPECT_EQ(std::count(log_.begin(), log_.end(), '\n'), 1) << log_;
}

TEST_F(LoadBackendsTest, FailsWithoutTheLast) {
  EXPECT_EQ(Load({{BackendChoice::kTorch, "cuda"}}, "cuda").status(),
            absl::FailedPreconditionError("the driver is too old"));
  EXPECT_EQ(Load({{BackendChoice::kTorch, "cuda"}, {BackendChoice::kNative, "cpu"}}, "cpu").status(),
            absl::FailedPreconditionError("the driver is too old"));
  EXPECT_EQ(log_, "");
}

class MakeBackendsTest : public TargetTest {};
INSTANTIATE_TEST_SUITE_P(Targets, MakeBackendsTest, AllTargets(), NameOfTarget);

TEST_P(MakeBackendsTest, NamesItsKernelsAndWarnsOnceOfSlowOnes) {
  testing::internal::CaptureStderr();
  const absl::StatusOr<std::vector<std::unique_ptr<Backend>>> backends =
      MakeBackends(Options(DeviceChoice::kCpu, BackendChoice::kNative));
  ASSERT_TRUE(FlushLog(SteadyTime::Now() + absl::Seconds(60)));
  const std::string log = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(backends.ok()) << backends.status();
  ASSERT_EQ(backends->size(), 1u);
  EXPECT_EQ(backends->front()->name(), "native");
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
                             hwy::TargetName(GetParam()) + " precision=float32\n"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
}

}  // namespace
}  // namespace hearwire
