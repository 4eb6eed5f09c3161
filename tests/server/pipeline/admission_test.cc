#include "server/pipeline/admission.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

namespace hearwire {
namespace {

using Share = std::unique_ptr<Admission::Share>;

Share Admitted(Admission* admission, int64_t bytes) {
  auto result = admission->Admit(bytes);
  EXPECT_TRUE(std::holds_alternative<Share>(result));
  return std::holds_alternative<Share>(result) ? std::move(std::get<Share>(result)) : nullptr;
}

TEST(AdmissionTest, RefusesACallBeyondTheLimitUntilOneEnds) {
  Admission admission(2, 1000);
  const Share first = Admitted(&admission, 1);
  Share second = Admitted(&admission, 1);
  EXPECT_EQ(std::get<Admission::Refusal>(admission.Admit(1)), Admission::Refusal::kTooManyCalls);
  second.reset();
  EXPECT_NE(Admitted(&admission, 1), nullptr);
}

TEST(AdmissionTest, RefusesBytesBeyondTheLimitAndTakesNothing) {
  Admission admission(10, 1000);
  const Share first = Admitted(&admission, 600);
  const Share second = Admitted(&admission, 400);
  EXPECT_EQ(std::get<Admission::Refusal>(admission.Admit(1)), Admission::Refusal::kMemoryFull);
  EXPECT_FALSE(first->Grow(1));
  EXPECT_EQ(admission.bytes(), 1000);
  EXPECT_EQ(admission.calls(), 2);
}

TEST(AdmissionTest, KeepsOfAShareWhatItIsTold) {
  Admission admission(10, 1000);
  const Share share = Admitted(&admission, 600);
  share->ShrinkTo(400);
  EXPECT_EQ(admission.bytes(), 400);
  share->ShrinkTo(500);
  EXPECT_EQ(admission.bytes(), 400) << "it takes nothing";
}

TEST(AdmissionTest, TakesACallThatIsAloneWhateverItHolds) {
  Admission admission(10, 1000);
  Share alone = Admitted(&admission, 5000);
  EXPECT_TRUE(alone->Grow(5000));
  EXPECT_EQ(std::get<Admission::Refusal>(admission.Admit(1)), Admission::Refusal::kMemoryFull);
  alone.reset();
  EXPECT_EQ(admission.bytes(), 0);
}

TEST(AdmissionTest, GivesBackAllThatAShareHeldWhenItEnds) {
  Admission admission(10, 1000);
  Share share = Admitted(&admission, 100);
  ASSERT_TRUE(share->Grow(500));
  share->Shrink(200);
  EXPECT_EQ(admission.bytes(), 400);
  share.reset();
  EXPECT_EQ(admission.bytes(), 0);
  EXPECT_EQ(admission.calls(), 0);
}

TEST(AdmissionTest, TellsEveryChangeOfWhatIsHeld) {
  std::vector<std::pair<int, int64_t>> told;
  Admission admission(10, 1000, nullptr, [&](int calls, int64_t bytes) { told.emplace_back(calls, bytes); });
  Share share = Admitted(&admission, 100);
  ASSERT_TRUE(share->Grow(500));
  share->Shrink(200);
  share->ShrinkTo(50);
  share.reset();
  EXPECT_EQ(told, (std::vector<std::pair<int, int64_t>>{{1, 100}, {1, 600}, {1, 400}, {1, 50}, {0, 0}}));
}

TEST(AdmissionTest, AsksTheMachineBeforeALargeShareGrows) {
  bool has_room = false;
  Admission admission(10, int64_t{1} << 30, [&](int64_t bytes) { return has_room || bytes < (8 << 20); });
  const Share share = Admitted(&admission, 1);
  EXPECT_TRUE(share->Grow(Admission::kLargeBytes));
  EXPECT_FALSE(share->Grow(8 << 20)) << "alone too";
  EXPECT_EQ(admission.bytes(), 1 + Admission::kLargeBytes);
  has_room = true;
  EXPECT_TRUE(share->Grow(8 << 20));
}

}  // namespace
}  // namespace hearwire
