// A CUDA driver for tests: one device, whose memory is the host's and whose kernels do nothing. It is strict about what
// the real one takes for granted: a context must be current in the calling thread, and what is freed was allocated.
//
// What fails is told by FakeCudaFail.

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace {

constexpr int kInvalidContext = 201;
constexpr int kInvalidValue = 1;

struct State {
  std::mutex mu;
  std::map<std::string, int> failing;
  int lost = 0;  // What every call says from now on.
  std::set<void*> memory;
  int streams = 0, events = 0, modules = 0, contexts = 0, graphs = 0;
  int launches = 0;
};
State& state() {
  static State& state = *new State;
  return state;
}
thread_local void* context = nullptr;

int Check(const char* function, bool needs_context = true) {
  State& s = state();
  if (s.lost != 0) return s.lost;
  if (const auto found = s.failing.find(function); found != s.failing.end()) return found->second;
  return needs_context && context == nullptr ? kInvalidContext : 0;
}

using Address = unsigned long long;

}  // namespace

#define FAKE(name, ...)             \
  std::lock_guard lock(state().mu); \
  if (const int bad = Check(name, ##__VA_ARGS__)) return bad;

#pragma GCC visibility push(default)
extern "C" {

// result 0: works again. "lost": every call fails, for good.
void FakeCudaFail(const char* function, int result) {
  std::lock_guard lock(state().mu);
  if (std::strcmp(function, "lost") == 0) {
    state().lost = result;
  } else if (result == 0) {
    state().failing.erase(function);
  } else {
    state().failing[function] = result;
  }
}
// What was made and not given back, of any kind.
int FakeCudaLeaks() {
  std::lock_guard lock(state().mu);
  State& s = state();
  return static_cast<int>(s.memory.size()) + s.streams + s.events + s.modules + s.contexts + s.graphs;
}
int FakeCudaLaunches() {
  std::lock_guard lock(state().mu);
  return state().launches;
}

int cuInit(unsigned) {
  FAKE("cuInit", false);
  return 0;
}
int cuGetErrorName(int result, const char** name) {
  *name = result == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_FAKE";
  return 0;
}
int cuDeviceGetCount(int* count) {
  FAKE("cuDeviceGetCount", false);
  *count = 1;
  return 0;
}
int cuDeviceGet(int* device, int ordinal) {
  FAKE("cuDeviceGet", false);
  *device = ordinal;
  return 0;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
  FAKE("cuDeviceGetAttribute", false);
  *value = attribute == 16 ? 132 : 0;
  return 0;
}
int cuDeviceGetName(char* name, int, int) {
  FAKE("cuDeviceGetName", false);
  *name = 0;
  return 0;
}
int cuDevicePrimaryCtxRetain(void** made, int) {
  FAKE("cuDevicePrimaryCtxRetain", false);
  *made = &state();
  ++state().contexts;
  return 0;
}
int cuDevicePrimaryCtxRelease_v2(int) {
  std::lock_guard lock(state().mu);
  --state().contexts;
  return 0;
}
int cuCtxSetCurrent(void* to) {
  context = to;
  return 0;
}
int cuModuleLoadData(void** module, const void* image) {
  FAKE("cuModuleLoadData");
  if (image == nullptr) return kInvalidValue;
  *module = &state();
  ++state().modules;
  return 0;
}
int cuModuleUnload(void*) {
  std::lock_guard lock(state().mu);
  --state().modules;
  return 0;
}
int cuModuleGetFunction(void** function, void*, const char* name) {
  FAKE("cuModuleGetFunction");
  *function = const_cast<char*>(name);
  return 0;
}
int cuFuncSetAttribute(void*, int, int) {
  FAKE("cuFuncSetAttribute");
  return 0;
}
int cuMemAlloc_v2(Address* address, size_t bytes) {
  FAKE("cuMemAlloc_v2");
  void* const memory = std::malloc(bytes);
  state().memory.insert(memory);
  *address = reinterpret_cast<Address>(memory);
  return 0;
}
int cuMemFree_v2(Address address) {
  std::lock_guard lock(state().mu);
  void* const memory = reinterpret_cast<void*>(address);
  if (state().memory.erase(memory) == 0) return kInvalidValue;
  std::free(memory);
  return 0;
}
int cuMemHostAlloc(void** memory, size_t bytes, unsigned) {
  FAKE("cuMemHostAlloc");
  *memory = std::malloc(bytes);
  state().memory.insert(*memory);
  return 0;
}
int cuMemFreeHost(void* memory) { return cuMemFree_v2(reinterpret_cast<Address>(memory)); }
int cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t bytes, void*) {
  FAKE("cuMemcpyHtoDAsync_v2");
  std::memcpy(reinterpret_cast<void*>(to), from, bytes);
  return 0;
}
int cuMemcpyDtoHAsync_v2(void* to, Address from, size_t bytes, void*) {
  FAKE("cuMemcpyDtoHAsync_v2");
  std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
  return 0;
}
int cuStreamCreate(void** stream, unsigned) {
  FAKE("cuStreamCreate");
  *stream = &state();
  ++state().streams;
  return 0;
}
int cuStreamDestroy_v2(void*) {
  std::lock_guard lock(state().mu);
  --state().streams;
  return 0;
}
int cuStreamSynchronize(void*) {
  FAKE("cuStreamSynchronize");
  return 0;
}
int cuEventCreate(void** event, unsigned) {
  FAKE("cuEventCreate");
  *event = &state();
  ++state().events;
  return 0;
}
int cuEventDestroy_v2(void*) {
  std::lock_guard lock(state().mu);
  --state().events;
  return 0;
}
int cuEventRecord(void*, void*) {
  FAKE("cuEventRecord");
  return 0;
}
int cuEventSynchronize(void*) {
  FAKE("cuEventSynchronize");
  return 0;
}
int cuLaunchKernel(void* function, unsigned blocks, unsigned, unsigned, unsigned threads, unsigned, unsigned, unsigned,
                   void*, void** parameters, void**) {
  FAKE("cuLaunchKernel");
  if (function == nullptr || blocks == 0 || threads == 0 || threads > 1024 || parameters == nullptr)
    return kInvalidValue;
  ++state().launches;
  return 0;
}
int cuStreamBeginCapture_v2(void*, int) {
  FAKE("cuStreamBeginCapture_v2");
  return 0;
}
int cuStreamEndCapture(void*, void** graph) {
  FAKE("cuStreamEndCapture");
  *graph = &state();
  ++state().graphs;
  return 0;
}
int cuGraphInstantiateWithFlags(void** ready, void*, unsigned long long) {
  FAKE("cuGraphInstantiateWithFlags");
  *ready = &state();
  ++state().graphs;
  return 0;
}
int cuGraphDestroy(void*) {
  std::lock_guard lock(state().mu);
  --state().graphs;
  return 0;
}
int cuGraphExecDestroy(void*) { return cuGraphDestroy(nullptr); }
#ifndef HEARWIRE_OLD_DRIVER
int cuGraphLaunch(void*, void*) {
  FAKE("cuGraphLaunch");
  return 0;
}
#endif
}
#pragma GCC visibility pop
