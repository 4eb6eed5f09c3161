#include "tests/models/cuda/emulated_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <limits>
#include <memory>
#include <vector>

namespace hearwire {
namespace {

// Copies of 16 bytes that a thread has asked for, in groups; done at the latest possible moment, so that a kernel that
// does not wait for them reads what was there before.
struct PendingCopy {
  float* to;
  float values[4];
};

// Where a coroutine stands: its stack's top, with the registers that calls keep on it.
using Context = void*;

// Goes on at `to` and leaves at `from` where to come back. Libc's swapcontext makes system calls, and takes 20 times as
// long.
extern "C" void hearwire_switch_context(Context* from, Context to);
#if defined(__x86_64__)
asm(".text\n"
    "hearwire_switch_context:\n"
    "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  mov %rsp, (%rdi)\n"
    "  mov %rsi, %rsp\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n"
    "  ret\n");
constexpr size_t kKeptRegisters = 6;
#else
#error "Switching contexts is written for x86-64: tests/models/cuda/CMakeLists.txt leaves this out elsewhere."
#endif

struct Thread {
  Context context = nullptr;
  std::unique_ptr<char[]> stack;
  bool done = false;
  std::vector<PendingCopy> open;
  std::deque<std::vector<PendingCopy>> committed;
};

struct WarpOperands {
  unsigned x[32][4];
  unsigned w[32][2];
};

struct Block {
  std::vector<Thread> threads;
  std::vector<WarpOperands> warps;
  std::vector<float> shared;
  Context scheduler = nullptr;
  int current = 0;
  void (*body)(const void*) = nullptr;
  const void* args = nullptr;
};

// Several threads may each run a launch.
thread_local Block* block = nullptr;
thread_local unsigned block_index = 0;
thread_local unsigned block_threads = 0;

constexpr size_t kStackBytes = 64 << 10;

// Every thread of the block comes here before any goes on.
void Meet() { hearwire_switch_context(&block->threads[block->current].context, block->scheduler); }

void RunThread() {
  block->body(block->args);
  block->threads[block->current].done = true;
  Meet();
}

// One that begins with RunThread. Its stack is aligned as behind a call.
Context NewContext(char* stack) {
  void** top = reinterpret_cast<void**>(reinterpret_cast<uintptr_t>(stack + kStackBytes) / 16 * 16);
  *--top = nullptr;  // RunThread returns nowhere.
  *--top = reinterpret_cast<void*>(&RunThread);
  for (size_t i = 0; i < kKeptRegisters; ++i) *--top = nullptr;
  return top;
}

struct Index {
  unsigned x;
};

}  // namespace

// What CUDA gives kernels.cuh.
#define __device__
#define HEARWIRE_UNROLL
#define blockIdx (Index{block_index})
#define blockDim (Index{block_threads})
#define threadIdx (Index{static_cast<unsigned>(block->current)})

struct float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
static float2 make_float2(float x, float y) { return {x, y}; }
static float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
using std::fma;
static float fmaf(float a, float b, float c) { return std::fma(a, b, c); }
static unsigned __float_as_uint(float x) {
  unsigned bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}
static float __uint_as_float(unsigned bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

static float* SharedFloats() { return block->shared.data(); }
static void SyncThreads() { Meet(); }

static void CopyAsync16(float* to, const float* from, bool inside) {
  PendingCopy copy = {to, {}};
  if (reinterpret_cast<uintptr_t>(to) % 16 != 0 || (inside && reinterpret_cast<uintptr_t>(from) % 16 != 0))
    std::abort();
  if (inside) std::copy_n(from, 4, copy.values);
  block->threads[block->current].open.push_back(copy);
}
static void CommitCopies() {
  Thread& thread = block->threads[block->current];
  thread.committed.push_back(std::move(thread.open));
  thread.open.clear();
}
template <int kPending>
static void WaitForCopies() {
  Thread& thread = block->threads[block->current];
  while (thread.committed.size() > static_cast<size_t>(kPending)) {
    for (const PendingCopy& copy : thread.committed.front()) std::copy_n(copy.values, 4, copy.to);
    thread.committed.pop_front();
  }
}

static float AsTf32(unsigned bits) { return __uint_as_float(bits & 0xffffe000u); }

// As the PTX manual lays mma.m16n8k8 out over lanes.
static void MultiplyTf32(float (&sums)[4], unsigned x0, unsigned x1, unsigned x2, unsigned x3, unsigned w0,
                         unsigned w1) {
  const int lane = block->current % 32, g = lane / 4, q = lane % 4;
  WarpOperands& warp = block->warps[block->current / 32];
  const unsigned x[] = {x0, x1, x2, x3}, w[] = {w0, w1};
  std::copy_n(x, 4, warp.x[lane]);
  std::copy_n(w, 2, warp.w[lane]);
  Meet();
  for (int i = 0; i < 4; ++i) {
    const int column = 2 * q + i % 2;
    for (int term = 0; term < 8; ++term) {
      const float a = AsTf32(warp.x[4 * g + term % 4][i / 2 + term / 4 * 2]);
      const float b = AsTf32(warp.w[4 * column + term % 4][term / 4]);
      sums[i] = std::fma(a, b, sums[i]);
    }
  }
  Meet();
}

}  // namespace hearwire

#include "models/cuda/kernels.cuh"

namespace hearwire {
namespace {

#define HEARWIRE_CALL(body, args) body(args)
#define HEARWIRE_BODY(name, body, Args) +[](const void* args) { HEARWIRE_CALL(body, *static_cast<const Args*>(args)); },
constexpr void (*kBodies[])(const void*) = {HEARWIRE_KERNELS(HEARWIRE_BODY)};

}  // namespace

void RunEmulated(const GpuLaunch& launch) {
  Block running;
  running.threads.resize(launch.threads);
  running.warps.resize((launch.threads + 31) / 32);
  running.body = kBodies[static_cast<int>(launch.kernel)];
  running.args = launch.args.data();
  block = &running;
  block_threads = launch.threads;
  for (Thread& thread : running.threads) thread.stack = std::make_unique<char[]>(kStackBytes);
  for (block_index = 0; block_index < launch.blocks; ++block_index) {
    // Whoever reads what nobody wrote finds it.
    running.shared.assign(launch.shared_bytes / sizeof(float), std::numeric_limits<float>::quiet_NaN());
    for (Thread& thread : running.threads) {
      thread.context = NewContext(thread.stack.get());
      thread.done = false;
      thread.open.clear();
      thread.committed.clear();
    }
    for (bool any = true; any;) {
      any = false;
      for (running.current = 0; running.current < static_cast<int>(launch.threads); ++running.current) {
        Thread& thread = running.threads[running.current];
        if (thread.done) continue;
        hearwire_switch_context(&running.scheduler, thread.context);
        any = any || !thread.done;
      }
    }
  }
  block = nullptr;
}

}  // namespace hearwire
