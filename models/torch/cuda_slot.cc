#include "models/torch/cuda_slot.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Device.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "models/torch/polled_wait.h"
#include "models/torch/torch_errors.h"

namespace hearwire {
namespace {

// Device tensors are held until the chunk is finished, when nothing runs that could touch them: that, and no more,
// makes it safe to use on one stream what was allocated on another.
class CudaSlot final : public Slot {
 public:
  CudaSlot(const std::vector<std::unique_ptr<TorchNetwork>>& networks, c10::Device device, c10::Stream kernels,
           const std::shared_ptr<GraphRecorder>& recorder, const std::function<void(const std::string&)>& warn)
      : networks_(networks),
        device_(device),
        guard_(device.type()),
        kernels_(kernels),
        copies_(guard_.getStreamFromGlobalPool(device)),
        copied_in_(device.type()),
        computed_(device.type()),
        copied_out_(device.type()),
        recorder_(recorder) {
    if (!recorder_) return;
    graphs_ = std::make_unique<ChunkGraphs>([this](const auto& work) { return recorder_->Record(work); }, warn);
  }

  absl::StatusOr<ChunkInput> Input(const Chunk& chunk) override {
    const absl::Status status = CatchTorchErrors(
        [&] {
          Reserve(host_rows_, at::kFloat, int64_t{1} * chunk.rows * chunk.shape.mels);
          Reserve(host_index_, at::kInt, IndexValues(chunk.shape) + chunk.shape.windows);
        },
        DeviceLost());
    if (!status.ok()) return status;
    int32_t* const index = host_index_.mutable_data_ptr<int32_t>();
    return ChunkInput{host_rows_.mutable_data_ptr<float>(), index, index + IndexValues(chunk.shape)};
  }

  absl::Status Start(int network, const Chunk& chunk, const ColumnPlan& plan) override {
    const ChunkShape& shape = chunk.shape;
    absl::Status status = CatchTorchErrors(
        [&] {
          Reserve(host_columns_, at::kFloat, int64_t{1} * shape.windows * plan.width());
          // The mask of a padded chunk depends on more than its shape.
          const bool as_graph = graphs_ && chunk.shortest == shape.frames;
          if (as_graph) ReserveFixed(shape, plan);
          {
            const c10::StreamGuard on_copies(copies_);
            CopyIn(chunk, as_graph);
            copied_in_.record(copies_);
          }
          {
            const c10::StreamGuard on_kernels(kernels_);
            copied_in_.block(kernels_);
            if (as_graph) {
              columns_ = Front(fixed_columns_, {shape.windows, plan.width()});
              graphs_->Run(network, shape, plan.columns(),
                           [&] { columns_.copy_(networks_[network]->Run(input_, plan), /*non_blocking=*/true); });
            } else {
              columns_ = networks_[network]->Run(input_, plan);
            }
            computed_.record(kernels_);
          }
          const c10::StreamGuard on_copies(copies_);
          computed_.block(copies_);
          Front(host_columns_, {shape.windows, plan.width()}).copy_(columns_, /*non_blocking=*/true);
          copied_out_.record(copies_);
        },
        DeviceLost());
    // What was started before the failure must not outlive the tensors that it uses.
    if (!status.ok()) Settle(status);
    return status;
  }

  absl::StatusOr<const float*> Finish() override {
    const absl::Status status = CatchTorchErrors([&] { WaitUntil([&] { return copied_out_.query(); }); }, DeviceLost());
    Drop();
    if (!status.ok()) return status;
    return host_columns_.const_data_ptr<float>();
  }

  void ReleaseMemory() override {
    (void)CatchTorchErrors([&] {
      if (graphs_) graphs_->Clear();
      c10::getDeviceAllocator(device_.type())->emptyCache();
    });
  }

 private:
  // Pinned, so that copies need no further one and do not block.
  static void Reserve(at::Tensor& buffer, at::ScalarType type, int64_t values) {
    if (buffer.defined() && buffer.numel() >= values) return;
    buffer = at::Tensor();  // Before the new one: both need not fit.
    buffer = at::empty({values}, at::TensorOptions(type).pinned_memory(true));
  }

  // Graphs are bound to these addresses.
  void ReserveFixed(const ChunkShape& shape, const ColumnPlan& plan) {
    const auto reserve = [&](at::Tensor& buffer, at::ScalarType type, int64_t values) {
      if (buffer.defined() && buffer.numel() >= values) return;
      graphs_->Clear();
      buffer = at::Tensor();
      buffer = at::empty({values}, at::TensorOptions(device_).dtype(type));
    };
    // Allocated where they are used first; kept, so that no other stream gets their memory.
    const c10::StreamGuard on_copies(copies_);
    reserve(fixed_rows_, at::kFloat, (IndexValues(shape) + 1) * shape.mels);
    reserve(fixed_index_, at::kInt, IndexValues(shape) + shape.windows);
    reserve(fixed_columns_, at::kFloat, int64_t{1} * shape.windows * plan.width());
  }

  void CopyIn(const Chunk& chunk, bool as_graph) {
    const ChunkShape& shape = chunk.shape;
    const int64_t values = IndexValues(shape);
    const at::Tensor host_rows = Front(host_rows_, {chunk.rows, shape.mels});
    const at::Tensor host_index = Front(host_index_, {values + shape.windows});  // Index and lengths travel together.
    at::Tensor index;
    if (as_graph) {
      Front(fixed_rows_, host_rows.sizes()).copy_(host_rows, /*non_blocking=*/true);
      input_.rows = Front(fixed_rows_, {values + 1, shape.mels});  // As many as there can be, for every chunk.
      index = Front(fixed_index_, host_index.sizes());
      index.copy_(host_index, /*non_blocking=*/true);
    } else {
      input_.rows = host_rows.to(device_, /*non_blocking=*/true);
      index = host_index.to(device_, /*non_blocking=*/true);
    }
    input_.index = index.narrow(0, 0, values).view({shape.windows, shape.frames});
    input_.lengths = index.narrow(0, values, shape.windows);
    input_.shortest = chunk.shortest;
  }

  static int64_t IndexValues(const ChunkShape& shape) { return int64_t{1} * shape.windows * shape.frames; }

  static at::Tensor Front(const at::Tensor& buffer, at::IntArrayRef shape) {
    return buffer.narrow(0, 0, c10::multiply_integers(shape)).view(shape);
  }

  // Errors of a device that still answers are those of one batch; errors of a lost one come back with every call.
  std::function<bool()> DeviceLost() const {
    return [this] {
      try {
        guard_.synchronizeDevice(device_.index());
        return false;
      } catch (const std::exception&) {
        return true;
      }
    };
  }

  void Settle(absl::Status& status) {
    const absl::Status settled = CatchTorchErrors(
        [&] {
          kernels_.synchronize();
          copies_.synchronize();
        },
        DeviceLost());
    if (!settled.ok()) status = settled;
    Drop();
  }

  void Drop() {
    input_ = DeviceChunk();
    columns_ = at::Tensor();
  }

  const std::vector<std::unique_ptr<TorchNetwork>>& networks_;
  const c10::Device device_;
  const c10::impl::VirtualGuardImpl guard_;
  const c10::Stream kernels_;
  const c10::Stream copies_;
  c10::Event copied_in_;
  c10::Event computed_;
  c10::Event copied_out_;
  at::Tensor host_rows_;
  at::Tensor host_index_;  // And the lengths behind it.
  at::Tensor host_columns_;
  DeviceChunk input_;
  at::Tensor columns_;  // [windows, width]

  const std::shared_ptr<GraphRecorder> recorder_;  // May be null, and then the rest is.
  at::Tensor fixed_rows_;
  at::Tensor fixed_index_;  // And the lengths behind it.
  at::Tensor fixed_columns_;
  std::unique_ptr<ChunkGraphs> graphs_;  // Before what they are bound to.
};

}  // namespace

std::vector<std::unique_ptr<Slot>> MakeCudaSlots(const std::vector<std::unique_ptr<TorchNetwork>>& networks,
                                                 const c10::Device& device, int count,
                                                 const std::shared_ptr<GraphRecorder>& graphs,
                                                 const std::function<void(const std::string&)>& warn) {
  const c10::Stream kernels = c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
  std::vector<std::unique_ptr<Slot>> slots;
  slots.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) slots.push_back(std::make_unique<CudaSlot>(networks, device, kernels, graphs, warn));
  return slots;
}

}  // namespace hearwire
