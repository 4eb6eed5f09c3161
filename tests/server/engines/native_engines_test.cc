// Engines over backends that compute: the native one with its best kernels and with its plainest.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/native/native_backend.h"
#include "server/engines/engines.h"
#include "tests/server/batching/recording_observer.h"

namespace hearwire {
namespace {

TEST(NativeEnginesTest, PlaceANetworkOnTheFasterOfTwoThatPassTheSelfTest) {
  for (const bool plain_first : {false, true}) {
    std::vector<EngineSpec> specs;
    for (const bool plain : {plain_first, !plain_first}) {
      BatcherOptions batching;
      batching.queue.max_batch_frames = plain ? 4095 : 4096;  // By which they are told apart.
      specs.push_back({MakeNativeBackend({.plain_kernels = plain}).value(), batching});
    }
    RecordingObserver observer;
    const auto engines = Engines::Load(std::move(specs), {});
    ASSERT_TRUE(engines.ok()) << engines.status();
    ASSERT_TRUE((*engines)->Start(&observer).ok());
    const absl::StatusOr<SelfTestReport> report =
        (*engines)->Test([](const NetworkCatalog& networks, std::string_view precision, Batcher* batcher) {
          return RunSelfTest(networks, precision, batcher);
        });
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->checks.size(), 5u);
    const std::vector<EngineInfo> in_use = (*engines)->InUse();
    ASSERT_EQ(in_use.size(), 1u);
    EXPECT_EQ(in_use[0].batching.queue.max_batch_frames, 4096);
  }
}

}  // namespace
}  // namespace hearwire
