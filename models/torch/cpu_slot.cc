#include "models/torch/cpu_slot.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>

#include "models/torch/torch_errors.h"

namespace hearwire {
namespace {

class CpuSlot final : public Slot {
 public:
  explicit CpuSlot(const std::vector<std::unique_ptr<TorchNetwork>>& networks) : networks_(networks) {}

  absl::StatusOr<float*> Input(const ChunkShape& shape) override {
    const absl::Status status = CatchTorchErrors([&] {
      if (input_.size() < shape.values()) input_.resize(shape.values());
    });
    if (!status.ok()) return status;
    return input_.data();
  }

  absl::Status Start(int network, const ChunkShape& shape, const ColumnPlan& plan) override {
    return CatchTorchErrors([&] {
      columns_ = networks_[network]->Run(
          at::from_blob(input_.data(), {shape.windows, shape.frames, shape.mels}, at::kFloat), plan);
    });
  }

  absl::StatusOr<const float*> Finish() override { return columns_.const_data_ptr<float>(); }

  void ReleaseMemory() override {
    std::vector<float>().swap(input_);
    columns_ = at::Tensor();
  }

 private:
  const std::vector<std::unique_ptr<TorchNetwork>>& networks_;
  std::vector<float> input_;
  at::Tensor columns_;
};

}  // namespace

std::unique_ptr<Slot> MakeCpuSlot(const std::vector<std::unique_ptr<TorchNetwork>>& networks) {
  return std::make_unique<CpuSlot>(networks);
}

}  // namespace hearwire
