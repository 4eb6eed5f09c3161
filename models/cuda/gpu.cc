#include "models/cuda/gpu.h"

namespace hearwire {

const char* ToText(GpuKernel kernel) {
#define HEARWIRE_KERNEL_TEXT(name, body, Args) #name,
  static constexpr const char* kNames[] = {HEARWIRE_KERNELS(HEARWIRE_KERNEL_TEXT)};
#undef HEARWIRE_KERNEL_TEXT
  return kNames[static_cast<int>(kernel)];
}

}  // namespace hearwire
