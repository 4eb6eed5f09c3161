#include "server/pipeline/caller_registry.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace hearwire {
namespace {

TEST(CallerRegistryTest, GivesACallerOneNumberForAllItsCalls) {
  CallerRegistry registry;
  const auto first = registry.Enter("10.0.0.1", 1);
  const auto other = registry.Enter("10.0.0.2", 1);
  const auto second = registry.Enter("10.0.0.1", 1);
  EXPECT_EQ(first->value(), second->value());
  EXPECT_NE(first->value(), other->value());
  EXPECT_EQ(registry.callers(), 2);
}

TEST(CallerRegistryTest, KeepsTheNumberUntilTheLastCallHasEnded) {
  CallerRegistry registry;
  auto first = registry.Enter("a", 1);
  const auto second = registry.Enter("a", 1);
  const int number = first->value();
  first.reset();
  EXPECT_NE(registry.Enter("b", 1)->value(), number);
  EXPECT_EQ(registry.Enter("a", 1)->value(), number);
}

TEST(CallerRegistryTest, NumbersStayBelowTheNumberOfCallersAtOnce) {
  CallerRegistry registry;
  const auto stays = registry.Enter("stays", 1);
  for (int i = 0; i < 100; ++i) EXPECT_LT(registry.Enter("caller " + std::to_string(i), 1)->value(), 2);
  EXPECT_EQ(registry.callers(), 1);
}

}  // namespace
}  // namespace hearwire
