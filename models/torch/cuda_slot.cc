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
  CudaSlot(const std::vector<std::unique_ptr<TorchNetwork>>& networks, c10::Device device, c10::Stream kernels)
      : networks_(networks),
        device_(device),
        guard_(device.type()),
        kernels_(kernels),
        copies_(guard_.getStreamFromGlobalPool(device)),
        copied_in_(device.type()),
        computed_(device.type()),
        copied_out_(device.type()) {}

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
          {
            const c10::StreamGuard on_copies(copies_);
            input_.rows = Front(host_rows_, {chunk.rows, shape.mels}).to(device_, /*non_blocking=*/true);
            // Index and lengths travel together.
            const int64_t values = IndexValues(shape);
            const at::Tensor index = Front(host_index_, {values + shape.windows}).to(device_, /*non_blocking=*/true);
            input_.index = index.narrow(0, 0, values).view({shape.windows, shape.frames});
            input_.lengths = index.narrow(0, values, shape.windows);
            input_.shortest = chunk.shortest;
            copied_in_.record(copies_);
          }
          {
            const c10::StreamGuard on_kernels(kernels_);
            copied_in_.block(kernels_);
            columns_ = networks_[network]->Run(input_, plan);
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
    (void)CatchTorchErrors([&] { c10::getDeviceAllocator(device_.type())->emptyCache(); });
  }

 private:
  // Pinned, so that copies need no further one and do not block.
  static void Reserve(at::Tensor& buffer, at::ScalarType type, int64_t values) {
    if (buffer.defined() && buffer.numel() >= values) return;
    buffer = at::Tensor();  // Before the new one: both need not fit.
    buffer = at::empty({values}, at::TensorOptions(type).pinned_memory(true));
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
};

}  // namespace

std::vector<std::unique_ptr<Slot>> MakeCudaSlots(const std::vector<std::unique_ptr<TorchNetwork>>& networks,
                                                 const c10::Device& device, int count) {
  const c10::Stream kernels = c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
  std::vector<std::unique_ptr<Slot>> slots;
  for (int i = 0; i < count; ++i) slots.push_back(std::make_unique<CudaSlot>(networks, device, kernels));
  return slots;
}

}  // namespace hearwire
