// The machine's arithmetic, to measure kernels against.

#ifndef HEARWIRE_TESTS_BENCH_FMA_PEAK_H_
#define HEARWIRE_TESTS_BENCH_FMA_PEAK_H_

#include <cstdint>

namespace hearwire {

// Runs multiply-additions on registers alone, with the widest vectors of this processor. Returns how many single
// multiply-additions these were.
int64_t RunMultiplyAdditions(int rounds);

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_BENCH_FMA_PEAK_H_
