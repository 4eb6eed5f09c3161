// Waiting for a device without keeping a core busy.
//
// LibTorch's own wait spins: a CUDA event blocks only when it was made to, and LibTorch does not make such. A worker
// waits most of the time, and the cores are needed for decoding and for spectrograms.

#ifndef HEARWIRE_MODELS_TORCH_POLLED_WAIT_H_
#define HEARWIRE_MODELS_TORCH_POLLED_WAIT_H_

#include <chrono>
#include <functional>

namespace hearwire {

// How long to sleep before asking again, after `waited`: an eighth of it, so that a chunk is found ready at most that
// much late; 20 us to 500 us.
std::chrono::microseconds PollPause(std::chrono::microseconds waited);

// Returns when `ready` does; passes its exceptions on. `sleep` and `waited`, the time since the start, are for tests.
void WaitUntil(const std::function<bool()>& ready);
void WaitUntil(const std::function<bool()>& ready, const std::function<void(std::chrono::microseconds)>& sleep,
               const std::function<std::chrono::microseconds()>& waited);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_POLLED_WAIT_H_
