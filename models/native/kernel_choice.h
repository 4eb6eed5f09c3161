// How the kernels' files put themselves into the table of Kernels.

#ifndef HEARWIRE_MODELS_NATIVE_KERNEL_CHOICE_H_
#define HEARWIRE_MODELS_NATIVE_KERNEL_CHOICE_H_

#include "models/native/kernels.h"

namespace hearwire {

enum class KernelChoice { kBest, kPlain };

void AddPointwiseKernels(KernelChoice choice, Kernels& kernels);
void AddDepthwiseKernels(KernelChoice choice, Kernels& kernels);
void AddPlanesKernels(KernelChoice choice, Kernels& kernels);
void AddRowKernels(KernelChoice choice, Kernels& kernels);

}  // namespace hearwire

// The function of an exported kernel.
#define HEARWIRE_CHOOSE_KERNEL(choice, NAME) \
  ((choice) == KernelChoice::kBest ? &HWY_DYNAMIC_DISPATCH(NAME) : &HWY_STATIC_DISPATCH(NAME))

#endif  // HEARWIRE_MODELS_NATIVE_KERNEL_CHOICE_H_
