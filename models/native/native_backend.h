// The native backend: float32 or bfloat16 on CPUs, with kernels of its own, chosen for the processor at run time.

#ifndef HEARWIRE_MODELS_NATIVE_NATIVE_BACKEND_H_
#define HEARWIRE_MODELS_NATIVE_NATIVE_BACKEND_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "models/embedder.h"

namespace hearwire {

struct NativeOptions {
  // "float32" or, where NativeHasBfloat16(), "bfloat16": products of numbers rounded to bfloat16, with sums in float32.
  std::string precision = "float32";
  // The plainest kernels of this architecture instead of the best: many times slower, to check the best against.
  bool plain_kernels = false;
};

// A backend on the device "cpu" whose embedders are single-threaded, share the weights and have a workspace each, which
// grows as batches need it and is kept: once batches of these shapes have run, others like them allocate nothing. A row
// has the same bits whatever shares its batch and whichever embedder runs it.
//
// INVALID_ARGUMENT: a precision that there is not, or that this processor or the plain kernels have not.
absl::StatusOr<std::unique_ptr<Backend>> MakeNativeBackend(const NativeOptions& options = {});

// Whether the best kernels on this processor have bfloat16: x86-64 with AVX512-BF16.
bool NativeHasBfloat16();

// What the best kernels are on this processor: "AVX3" (AVX-512), "AVX2", "SSE4", "NEON", "SCALAR", …
std::string NativeInstructionSet();

// Whether these are slow ones on a processor of their kind: on x86-64, anything below AVX2.
bool NativeInstructionSetIsSlow();

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_NATIVE_NATIVE_BACKEND_H_
