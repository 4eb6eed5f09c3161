// Keeps a thread on one CPU.

#ifndef HEARWIRE_SERVER_BATCHING_PIN_THREAD_H_
#define HEARWIRE_SERVER_BATCHING_PIN_THREAD_H_

namespace hearwire {

// cpu: by the system's number. A CPU that was taken away meanwhile is no reason to fail: the system places the thread
// then.
void PinThisThread(int cpu);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_BATCHING_PIN_THREAD_H_
