// Every instruction set of this machine in turn, for tests of kernels.

#ifndef HEARWIRE_TESTS_MODELS_NATIVE_TARGETS_H_
#define HEARWIRE_TESTS_MODELS_NATIVE_TARGETS_H_

#include <gtest/gtest.h>

#include <string>

#include "hwy/highway.h"

namespace hearwire {

// The parameter is Highway's bit of the instruction set; BestKernels() are its kernels while a test runs.
class TargetTest : public testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override { Choose(GetParam()); }
  void TearDown() override { Choose(0); }

 private:
  static void Choose(int64_t targets) {
    hwy::SetSupportedTargetsForTest(targets);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

inline auto AllTargets() { return testing::ValuesIn(hwy::SupportedAndGeneratedTargets()); }

inline std::string NameOfTarget(const testing::TestParamInfo<int64_t>& info) { return hwy::TargetName(info.param); }

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_MODELS_NATIVE_TARGETS_H_
