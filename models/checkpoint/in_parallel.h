// Loading on several threads.

#ifndef HEARWIRE_MODELS_CHECKPOINT_IN_PARALLEL_H_
#define HEARWIRE_MODELS_CHECKPOINT_IN_PARALLEL_H_

#include <cstddef>
#include <functional>

namespace hearwire {

// Calls work(0) to work(count - 1), each once and begun in that order, on this thread and up to three more, and returns
// when all have returned. Where the system gives no threads, this one does it all. Throws what work has thrown, the
// first of several that is seen; then some may not have been begun.
void InParallel(size_t count, const std::function<void(size_t)>& work);

// Asks that memory which has not been touched yet comes in huge pages: hundreds of faults less for each megabyte. Does
// nothing for small pieces, and where the system has none.
void PreferHugePages(void* memory, size_t bytes);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CHECKPOINT_IN_PARALLEL_H_
