#include "server/batching/refusal.h"

#include <gtest/gtest.h>

namespace hearwire {
namespace {

TEST(RefusalTest, TravelsWithTheStatusAndLeavesCodeAndMessage) {
  for (const Refusal refusal : {Refusal::kQueueFull, Refusal::kCallTooLarge, Refusal::kDeviceLost}) {
    const absl::Status marked = WithRefusal(absl::ResourceExhaustedError("why"), refusal);
    const absl::Status copy = marked;
    EXPECT_EQ(RefusalOf(copy), refusal);
    EXPECT_TRUE(absl::IsResourceExhausted(copy));
    EXPECT_EQ(copy.message(), "why");
  }
}

TEST(RefusalTest, OtherStatusesCarryNone) {
  EXPECT_EQ(RefusalOf(absl::OkStatus()), std::nullopt);
  EXPECT_EQ(RefusalOf(absl::ResourceExhaustedError("the device is out of memory")), std::nullopt);
}

}  // namespace
}  // namespace hearwire
