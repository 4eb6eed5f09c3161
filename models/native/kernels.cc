#include "models/native/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/native/kernels.cc"
#include "hwy/foreach_target.h"  // Includes this file once per instruction set.
#include "hwy/highway.h"
// After highway.h.
#include "models/native/kernel_choice.h"

HWY_BEFORE_NAMESPACE();
namespace hearwire {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void DescribeTarget(Kernels& kernels) {
  kernels.instruction_set = hwy::TargetName(HWY_TARGET);
  kernels.lanes = hn::Lanes(hn::ScalableTag<float>());
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace hearwire
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hearwire {
namespace {

HWY_EXPORT(DescribeTarget);

Kernels MakeKernels(KernelChoice choice) {
  Kernels kernels;
  HEARWIRE_CHOOSE_KERNEL(choice, DescribeTarget)(kernels);
  AddPointwiseKernels(choice, kernels);
  AddDepthwiseKernels(choice, kernels);
  AddPlanesKernels(choice, kernels);
  AddRowKernels(choice, kernels);
  return kernels;
}

}  // namespace

Kernels BestKernels() {
  // Chosen now, so that the table below holds the kernels and not Highway's detour to the first choice.
  if (!hwy::GetChosenTarget().IsInitialized()) hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  return MakeKernels(KernelChoice::kBest);
}

Kernels PlainKernels() { return MakeKernels(KernelChoice::kPlain); }

}  // namespace hearwire
#endif  // HWY_ONCE
