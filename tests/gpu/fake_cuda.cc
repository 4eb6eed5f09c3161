// A CUDA driver that has one device, on which a kernel fails as one does that writes where it may not. It can do
// nothing else. With it tests get past the first look for a driver on machines that have none.

#pragma GCC visibility push(default)
extern "C" {

int cuInit(unsigned) { return 0; }

int cuDeviceGetCount(int* count) {
  *count = 1;
  return 0;
}

int cuDeviceGet(int* device, int ordinal) {
  *device = ordinal;
  return 0;
}

int cuDevicePrimaryCtxRetain(void** context, int device) {
  *context = context;
  return device;
}

int cuCtxSetCurrent(void* context) { return context == nullptr ? 1 : 0; }

int cuModuleLoadData(void** module, const void* image) {
  *module = module;
  return image == nullptr ? 1 : 0;
}

int cuModuleGetFunction(void** function, void* module, const char* name) {
  *function = function;
  return module == nullptr || name == nullptr ? 1 : 0;
}

int cuLaunchKernel(void* function, unsigned grid_x, unsigned, unsigned, unsigned block_x, unsigned, unsigned, unsigned,
                   void*, void** parameters, void** extra) {
  return function == nullptr || grid_x != 1 || block_x != 1 || parameters != nullptr || extra != nullptr ? 1 : 0;
}

int cuCtxSynchronize() { return 700; }  // CUDA_ERROR_ILLEGAL_ADDRESS.
}
#pragma GCC visibility pop
