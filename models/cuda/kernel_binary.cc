#include "models/cuda/kernel_binary.h"

#ifdef HEARWIRE_KERNEL_FILE
asm(".section .rodata\n"
    ".balign 64\n"
    "hearwire_kernel_binary:\n"
    ".incbin \"" HEARWIRE_KERNEL_FILE
    "\"\n"
    ".byte 0\n"
    ".previous\n");
extern "C" const unsigned char hearwire_kernel_binary[];
#endif

namespace hearwire {

const void* CudaKernelBinary() {
#ifdef HEARWIRE_KERNEL_FILE
  return hearwire_kernel_binary;
#else
  return nullptr;
#endif
}

}  // namespace hearwire
