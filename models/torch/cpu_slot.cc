#include "models/torch/cpu_slot.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>

#include "models/torch/torch_errors.h"

namespace hearwire {
namespace {

class CpuSlot final : public Slot {
 public:
  explicit CpuSlot(const std::vector<std::unique_ptr<TorchNetwork>>& networks) : networks_(networks) {}

  absl::StatusOr<ChunkInput> Input(const Chunk& chunk) override {
    const int64_t rows = int64_t{1} * chunk.rows * chunk.shape.mels;
    const int64_t frames = int64_t{1} * chunk.shape.windows * chunk.shape.frames;
    const absl::Status status = CatchTorchErrors([&] {
      Reserve(rows_, rows);
      Reserve(index_, frames);
      Reserve(lengths_, chunk.shape.windows);
    });
    if (!status.ok()) return status;
    return ChunkInput{rows_.data(), index_.data(), lengths_.data()};
  }

  absl::Status Start(int network, const Chunk& chunk, const ColumnPlan& plan) override {
    return CatchTorchErrors([&] {
      const ChunkShape& shape = chunk.shape;
      columns_ =
          networks_[network]->Run({.rows = at::from_blob(rows_.data(), {chunk.rows, shape.mels}, at::kFloat),
                                   .index = at::from_blob(index_.data(), {shape.windows, shape.frames}, at::kInt),
                                   .lengths = at::from_blob(lengths_.data(), {shape.windows}, at::kInt),
                                   .shortest = chunk.shortest},
                                  plan);
    });
  }

  absl::StatusOr<const float*> Finish() override { return columns_.const_data_ptr<float>(); }

  void ReleaseMemory() override {
    std::vector<float>().swap(rows_);
    std::vector<int32_t>().swap(index_);
    columns_ = at::Tensor();
  }

 private:
  template <typename T>
  static void Reserve(std::vector<T>& buffer, int64_t values) {
    if (buffer.size() < static_cast<size_t>(values)) buffer.resize(static_cast<size_t>(values));
  }

  const std::vector<std::unique_ptr<TorchNetwork>>& networks_;
  std::vector<float> rows_;
  std::vector<int32_t> index_;
  std::vector<int32_t> lengths_;
  at::Tensor columns_;
};

}  // namespace

std::unique_ptr<Slot> MakeCpuSlot(const std::vector<std::unique_ptr<TorchNetwork>>& networks) {
  return std::make_unique<CpuSlot>(networks);
}

}  // namespace hearwire
