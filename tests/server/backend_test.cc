#include "server/backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

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

}  // namespace
}  // namespace hearwire
