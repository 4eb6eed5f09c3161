#include "models/cuda/cuda_gpu.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "models/cuda/cuda_driver.h"
#include "models/cuda/kernel_binary.h"

namespace hearwire {
namespace {

std::string NameOf(const CudaDriver& driver, CuResult result) {
  const char* name = nullptr;
  driver.error_name(result, &name);
  return absl::StrCat(name != nullptr ? name : "error", " (", result, ")");
}

// A device of the process: its context is current in whichever thread calls.
class Device {
 public:
  Device(const CudaDriver& driver, CuDevice device, CuContext context)
      : driver_(driver), device_(device), context_(context) {}
  ~Device() { (void)driver_.release_context(device_); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const CudaDriver& driver() const { return driver_; }
  CuDevice device() const { return device_; }
  void Use() const { (void)driver_.set_context(context_); }

  // What failed while work ran stays failed: the context is broken, and every later call says so.
  absl::Status ToStatus(CuResult result, const char* doing) const {
    if (result == kCuSuccess) return absl::OkStatus();
    const std::string message = absl::StrCat("CUDA: ", doing, ": ", NameOf(driver_, result));
    if (result == kCuOutOfMemory) return absl::ResourceExhaustedError(message);
    CuEvent event = nullptr;
    Use();
    const CuResult again = driver_.create_event(&event, kCuDisableTiming);
    if (again == kCuSuccess) {
      (void)driver_.destroy_event(event);
      return absl::InternalError(message);
    }
    return absl::UnavailableError(absl::StrCat(message, "; the device is lost"));
  }

 private:
  const CudaDriver& driver_;
  const CuDevice device_;
  const CuContext context_;
};

class CudaGraph final : public GpuGraph {
 public:
  CudaGraph(std::shared_ptr<const Device> device, CuGraphExec graph) : device_(std::move(device)), graph_(graph) {}
  ~CudaGraph() override {
    device_->Use();
    (void)device_->driver().destroy_graph_exec(graph_);
  }
  CuGraphExec get() const { return graph_; }

 private:
  const std::shared_ptr<const Device> device_;
  const CuGraphExec graph_;
};

// What every GPU of compute capability 8.0 or later has, those with the least of it (8.6) among them.
constexpr int kMaxSharedBytes = 99 << 10;

using Functions = std::array<CuFunction, kGpuKernels>;

class CudaStream final : public GpuStream {
 public:
  CudaStream(std::shared_ptr<const Device> device, const Functions& functions, CuStream stream, CuEvent event)
      : device_(std::move(device)), driver_(device_->driver()), functions_(functions), stream_(stream), event_(event) {}
  ~CudaStream() override {
    device_->Use();
    (void)driver_.synchronize_stream(stream_);
    (void)driver_.destroy_event(event_);
    (void)driver_.destroy_stream(stream_);
  }

  absl::Status CopyIn(GpuAddress to, const void* from, size_t bytes) override {
    device_->Use();
    return device_->ToStatus(driver_.copy_in(to, from, bytes, stream_), "copying to the device");
  }
  absl::Status CopyOut(void* to, GpuAddress from, size_t bytes) override {
    device_->Use();
    return device_->ToStatus(driver_.copy_out(to, from, bytes, stream_), "copying from the device");
  }

  absl::Status Launch(absl::Span<const GpuLaunch> launches) override {
    device_->Use();
    for (const GpuLaunch& launch : launches) {
      void* arguments[] = {const_cast<std::byte*>(launch.args.data())};
      const CuResult result = driver_.launch(functions_[static_cast<int>(launch.kernel)], launch.blocks, 1, 1,
                                             launch.threads, 1, 1, launch.shared_bytes, stream_, arguments, nullptr);
      if (result != kCuSuccess) return device_->ToStatus(result, ToText(launch.kernel));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<GpuGraph>> Record(absl::Span<const GpuLaunch> launches) override {
    device_->Use();
    CuResult result = driver_.begin_capture(stream_, kCuCaptureThreadLocal);
    if (result != kCuSuccess) return device_->ToStatus(result, "recording a graph");
    const absl::Status launched = Launch(launches);
    CuGraph graph = nullptr;
    result = driver_.end_capture(stream_, &graph);
    CuGraphExec ready = nullptr;
    if (launched.ok() && result == kCuSuccess) result = driver_.instantiate_graph(&ready, graph, 0);
    if (graph != nullptr) (void)driver_.destroy_graph(graph);
    if (!launched.ok()) return launched;
    if (result != kCuSuccess) return device_->ToStatus(result, "making a graph");
    return std::make_unique<CudaGraph>(device_, ready);
  }
  absl::Status Launch(const GpuGraph& graph) override {
    device_->Use();
    return device_->ToStatus(driver_.launch_graph(static_cast<const CudaGraph&>(graph).get(), stream_),
                             "launching a graph");
  }

  absl::Status Wait() override {
    device_->Use();
    CuResult result = driver_.record_event(event_, stream_);
    if (result == kCuSuccess) result = driver_.synchronize_event(event_);
    return device_->ToStatus(result, "waiting for the device");
  }

 private:
  const std::shared_ptr<const Device> device_;
  const CudaDriver& driver_;
  const Functions& functions_;
  const CuStream stream_;
  const CuEvent event_;
};

class CudaGpu final : public Gpu {
 public:
  CudaGpu(int index, std::shared_ptr<const Device> device, CuModule module, const Functions& functions)
      : index_(index), device_(std::move(device)), driver_(device_->driver()), module_(module), functions_(functions) {
    (void)driver_.device_attribute(&multiprocessors_, kCuMultiprocessors, device_->device());
  }
  ~CudaGpu() override {
    device_->Use();
    (void)driver_.unload_module(module_);
  }

  std::string device() const override { return absl::StrCat("cuda:", index_); }
  int multiprocessors() const override { return multiprocessors_; }

  absl::StatusOr<GpuAddress> Allocate(size_t bytes) override {
    device_->Use();
    CuAddress address = 0;
    const CuResult result = driver_.allocate(&address, bytes);
    if (result != kCuSuccess) return device_->ToStatus(result, "allocating memory of the device");
    return address;
  }
  void Free(GpuAddress address) override {
    device_->Use();
    (void)driver_.free(address);
  }
  absl::StatusOr<void*> AllocateHost(size_t bytes) override {
    device_->Use();
    void* memory = nullptr;
    const CuResult result = driver_.allocate_host(&memory, bytes, 0);
    if (result != kCuSuccess) return device_->ToStatus(result, "allocating memory that the device copies from");
    return memory;
  }
  void FreeHost(void* memory) override {
    device_->Use();
    (void)driver_.free_host(memory);
  }

  absl::StatusOr<std::unique_ptr<GpuStream>> NewStream() override {
    device_->Use();
    CuStream stream = nullptr;
    CuEvent event = nullptr;
    CuResult result = driver_.create_stream(&stream, kCuNonBlocking);
    if (result == kCuSuccess) {
      result = driver_.create_event(&event, kCuBlockingSync | kCuDisableTiming);
      if (result != kCuSuccess) (void)driver_.destroy_stream(stream);
    }
    if (result != kCuSuccess) return device_->ToStatus(result, "making a stream");
    return std::make_unique<CudaStream>(device_, functions_, stream, event);
  }

 private:
  const int index_;
  const std::shared_ptr<const Device> device_;
  const CudaDriver& driver_;
  const CuModule module_;
  const Functions functions_;
  int multiprocessors_ = 1;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Gpu>> OpenCudaGpu(int index) {
  if (CudaKernelBinary() == nullptr) {
    return absl::FailedPreconditionError(
        "this program was built without kernels for GPUs: build it where scripts/setup has fetched CUDA's compiler, or "
        "use --backend=torch, or --device=cpu");
  }
  const absl::StatusOr<const CudaDriver*> driver = OpenCudaDriver();
  if (!driver.ok()) return driver.status();
  return OpenCudaGpu(**driver, CudaKernelBinary(), index);
}

absl::StatusOr<std::unique_ptr<Gpu>> OpenCudaGpu(const CudaDriver& driver, const void* kernels, int index) {
  int count = 0;
  (void)driver.device_count(&count);
  if (index < 0 || index >= count) {
    return absl::FailedPreconditionError(absl::StrCat("cuda:", index, ": the machine has ", count, " CUDA devices"));
  }
  CuDevice number = 0;
  CuContext context = nullptr;
  CuResult result = driver.device(&number, index);
  if (result == kCuSuccess) result = driver.retain_context(&context, number);
  if (result != kCuSuccess) {
    return absl::FailedPreconditionError(absl::StrCat("cuda:", index, " cannot be used: ", NameOf(driver, result)));
  }
  auto device = std::make_shared<const Device>(driver, number, context);
  device->Use();
  CuModule module = nullptr;
  result = driver.load_module(&module, kernels);
  if (result != kCuSuccess) {
    const char* const hint =
        result == kCuNoBinary
            ? ": they are for GPUs of compute capability 8.0 or later; --backend=torch knows older ones"
        : result == kCuUnsupportedPtx ? ": the driver is too old for the kernels"
                                      : "";
    return absl::FailedPreconditionError(
        absl::StrCat("cuda:", index, " does not take the kernels: ", NameOf(driver, result), hint));
  }
  Functions functions;
  for (int i = 0; i < kGpuKernels; ++i) {
    const char* const name = ToText(static_cast<GpuKernel>(i));
    result = driver.function(&functions[i], module, name);
    // Up to 48 KiB of shared memory need no asking; this is more than any launch uses.
    if (result == kCuSuccess)
      result = driver.set_function_attribute(functions[i], kCuMaxDynamicShared, kMaxSharedBytes);
    if (result != kCuSuccess) {
      (void)driver.unload_module(module);
      return absl::InternalError(absl::StrCat("cuda:", index, ": ", name, ": ", NameOf(driver, result)));
    }
  }
  return std::make_unique<CudaGpu>(index, std::move(device), module, functions);
}

}  // namespace hearwire
