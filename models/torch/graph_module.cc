// libhearwire_torch_graphs.so: see graph_recorder.h.

#include <ATen/cuda/CUDAGraph.h>
#include <torch/headeronly/version.h>

#include <exception>
#include <memory>
#include <mutex>
#include <type_traits>

#include "models/torch/graph_recorder.h"

namespace hearwire {
namespace {

class CudaGraph final : public LaunchGraph {
 public:
  CudaGraph(c10::MempoolId_t pool, const std::function<void()>& work) {
    graph_.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
    try {
      work();
    } catch (...) {
      Abandon(pool);
      throw;
    }
    try {
      graph_.capture_end();
    } catch (...) {
      LeavePool(pool);
      throw;
    }
  }

  void Launch() override { graph_.replay(); }

 private:
  void Abandon(c10::MempoolId_t pool) {
    try {
      graph_.capture_end();
    } catch (const std::exception&) {
      // As was to be expected: the first failure tells more.
      LeavePool(pool);
    }
  }

  // Before LibTorch 2.12 a capture that cannot be ended goes on taking the stream's memory from its pool.
  static void LeavePool([[maybe_unused]] c10::MempoolId_t pool) {
#if TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 12
    try {
      c10::cuda::CUDACachingAllocator::endAllocateToPool(c10::cuda::current_device(), pool);
    } catch (const std::exception&) {
      // It had left it.
    }
#endif
  }

  at::cuda::CUDAGraph graph_;
};

class CudaGraphRecorder final : public GraphRecorder {
 public:
  std::unique_ptr<LaunchGraph> Record(const std::function<void()>& work) override {
    // The generator of random numbers, which nobody uses, is in one capture at a time.
    static std::mutex mu;
    const std::lock_guard<std::mutex> lock(mu);
    return std::make_unique<CudaGraph>(pool_, work);
  }

 private:
  const c10::MempoolId_t pool_ = at::cuda::graph_pool_handle();
};

}  // namespace

extern "C" __attribute__((visibility("default"))) GraphRecorder* HearwireMakeGraphRecorder() {
  return new CudaGraphRecorder();
}

static_assert(std::is_same_v<decltype(HearwireMakeGraphRecorder), MakeGraphRecorderFunction>);

}  // namespace hearwire
