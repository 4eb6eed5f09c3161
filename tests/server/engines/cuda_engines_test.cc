// The backend cuda in an engine, on the emulated GPU.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "models/cuda/cuda_backend.h"
#include "models/native/native_backend.h"
#include "server/concurrency/steady_time.h"
#include "server/engines/engines.h"
#include "server/telemetry/log.h"
#include "tests/models/cuda/emulated_gpu.h"
#include "tests/server/batching/recording_observer.h"

namespace hearwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::unique_ptr<Backend> EmulatedBackend() { return MakeGpuBackend(MakeEmulatedGpu(), {}); }

absl::StatusOr<SelfTestReport> SelfTestOf(const NetworkCatalog& networks, std::string_view precision,
                                          Batcher* batcher) {
  return RunSelfTest(networks, precision, batcher);
}

TEST(CudaEnginesTest, ServeTheEmbeddedNetworkAfterItsSelfTest) {
  std::vector<EngineSpec> specs;
  specs.push_back({EmulatedBackend(), {}});
  RecordingObserver observer;
  const auto engines = Engines::Load(std::move(specs), {});
  ASSERT_TRUE(engines.ok()) << engines.status();
  ASSERT_TRUE((*engines)->Start(&observer).ok());
  const absl::StatusOr<SelfTestReport> report = (*engines)->Test(SelfTestOf);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->checks.size(), 5u);
  EXPECT_GT(report->LargestError(), 0);
  ASSERT_EQ((*engines)->InUse().size(), 1u);
  EXPECT_EQ((*engines)->InUse()[0].backend, "cuda");
}

TEST(CudaEnginesTest, PlaceANetworkByTheRatesThatAreMeasured) {
  std::vector<EngineSpec> specs;
  specs.push_back({EmulatedBackend(), {}});
  specs.push_back({MakeNativeBackend().value(), {}});
  testing::internal::CaptureStderr();
  const auto engines = Engines::Load(std::move(specs), {});
  EXPECT_TRUE(FlushLog(SteadyTime::Now() + absl::Seconds(60)));
  const std::string log = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(engines.ok()) << engines.status();
  EXPECT_THAT(log, AllOf(HasSubstr("network placed where it is faster"), HasSubstr("cuda:0 "), HasSubstr("cpu "),
                         HasSubstr("a device is let go: no network runs on it")));
  RecordingObserver observer;
  ASSERT_TRUE((*engines)->Start(&observer).ok());
  ASSERT_EQ((*engines)->InUse().size(), 1u);
  EXPECT_EQ((*engines)->InUse()[0].backend, "native") << "emulation is slow";
}

}  // namespace
}  // namespace hearwire
