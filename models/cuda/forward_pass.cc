#include "models/cuda/forward_pass.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "models/cuda/kernel_args.h"

namespace hearwire {
namespace {

constexpr size_t kAlignment = 64;  // Floats: every buffer begins at a multiple of 256 bytes.

unsigned BlocksFor(size_t items, size_t per_block) {
  return static_cast<unsigned>((items + per_block - 1) / per_block);
}

struct MapSize {
  int time, mels;

  int positions() const { return time * mels; }
};

MapSize AfterStride(const MapSize& size, int stride) {
  return {(size.time + stride - 1) / stride, (size.mels + stride - 1) / stride};
}

// What a pass keeps between its launches, as floats from the start of its scratch.
struct Scratch {
  size_t maps[2];  // A block's input and output, in turns.
  size_t expanded;
  size_t filtered;
  size_t pooled;    // [windows, most channels]
  size_t squeezed;  // [windows, most channels]
  size_t scale;     // [windows, most channels]
  size_t end;
};

Scratch LayOut(const NetworkShape& network, const ChunkShape& shape) {
  size_t map = 0, expanded = 0, filtered = 0, channels = 0;
  MapSize size = AfterStride({shape.frames, shape.mels}, 2);
  const auto grow = [&](size_t& most, int of_channels) {
    most = std::max(most, size_t{1} * shape.windows * size.positions() * of_channels);
  };
  grow(map, network.stem_channels);
  for (const BlockShape& block : network.blocks) {
    if (block.has_expansion()) grow(expanded, block.expanded_channels);
    size = AfterStride(size, block.stride);
    grow(filtered, block.expanded_channels);
    grow(map, block.out_channels);
    channels = std::max(channels, size_t{1} * static_cast<size_t>(block.expanded_channels));
  }
  grow(expanded, network.last_channels);
  channels =
      std::max({channels, static_cast<size_t>(network.last_channels), static_cast<size_t>(network.hidden_channels)});
  Scratch scratch;
  size_t end = 0;
  const auto add = [&](size_t floats) {
    const size_t begin = end;
    end += (floats + kAlignment - 1) / kAlignment * kAlignment;
    return begin;
  };
  scratch.maps[0] = add(map);
  scratch.maps[1] = add(map);
  scratch.expanded = add(expanded);
  scratch.filtered = add(filtered);
  scratch.pooled = add(channels * shape.windows);
  scratch.squeezed = add(channels * shape.windows);
  scratch.scale = add(channels * shape.windows);
  scratch.end = end;
  return scratch;
}

int ToGpu(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return kGpuNone;
    case Activation::kRelu:
      return kGpuRelu;
    case Activation::kHardswish:
      return kGpuHardswish;
  }
  std::abort();
}

class PassMaker {
 public:
  PassMaker(const GpuNetwork& network, const ChunkShape& shape, const ColumnPlan& plan, const PassInput& input,
            int multiprocessors)
      : network_(network),
        shape_(shape),
        plan_(plan),
        input_(input),
        multiprocessors_(multiprocessors),
        scratch_(LayOut(network.shape, shape)) {}

  std::vector<GpuLaunch> Make() {
    const FeatureSet features = plan_.features();
    if (features.Has(Feature::kMelAvgs)) PoolFrames();
    const int last_block = features.LastBlock();
    if (last_block >= 0) {
      Stem();
      ReadMap(Block(0));
    }
    for (int i = 1; i <= last_block; ++i) {
      RunBlock(i);
      ReadMap(Block(i));
    }
    if (features.NeedsLastConvolution()) RunHead(features.NeedsHead());
    return std::move(launches_);
  }

 private:
  float* At(size_t offset) const { return input_.scratch + offset; }
  float* Map() const { return At(scratch_.maps[map_]); }

  template <typename Args>
  void Add(GpuKernel kernel, unsigned blocks, unsigned threads, unsigned shared_bytes, const Args& args) {
    launches_.push_back(MakeLaunch(kernel, blocks, threads, shared_bytes, args));
  }

  void Stem() {
    size_ = AfterStride({shape_.frames, shape_.mels}, 2);
    level_ = 1;
    const int channels = network_.stem.channels;
    const StemArgs args = {.rows = input_.rows,
                           .index = input_.index,
                           .weight = network_.stem.weight,
                           .bias = network_.stem.bias,
                           .y = Map(),
                           .windows = shape_.windows,
                           .frames = shape_.frames,
                           .mels = shape_.mels,
                           .time = size_.time,
                           .mels_out = size_.mels,
                           .channels = channels};
    Add(GpuKernel::hearwire_stem,
        BlocksFor(size_t{1} * shape_.windows * size_.positions() * (channels / 4), kMapThreads), kMapThreads, 0, args);
  }

  struct Rows {
    int count;
    int positions;  // Of one window.
  };
  Rows MapRows() const { return {shape_.windows * size_.positions(), size_.positions()}; }
  Rows WindowRows() const { return {shape_.windows, 1}; }

  void Pointwise(const GpuLayer& layer, int activation, const Rows& rows, const float* x, float* y, int row_stride,
                 const float* scale = nullptr, const float* residual = nullptr) {
    const PointwiseCut cut = ChoosePointwiseCut(rows.count, layer.channels, multiprocessors_);
    const PointwiseArgs args = {.x = x,
                                .weight = layer.weight,
                                .bias = layer.bias,
                                .scale = scale,
                                .residual = residual,
                                .y = y,
                                .rows = rows.count,
                                .terms = layer.terms,
                                .channels = layer.channels,
                                .channels_out = layer.channels_out,
                                .row_stride = row_stride,
                                .positions = rows.positions,
                                .scale_rows = 0,
                                .activation = activation};
    launches_.push_back(MakePointwiseLaunch(cut, args));
  }
  void Pointwise(const GpuLayer& layer, int activation, const Rows& rows, const float* x, float* y) {
    Pointwise(layer, activation, rows, x, y, layer.channels);
  }

  void Depthwise(const GpuLayer& layer, const BlockShape& block, const float* x) {
    const MapSize out = AfterStride(size_, block.stride);
    const DepthwiseArgs args = {.x = x,
                                .weight = layer.weight,
                                .bias = layer.bias,
                                .lengths = input_.lengths,
                                .y = At(scratch_.filtered),
                                .windows = shape_.windows,
                                .time = size_.time,
                                .mels = size_.mels,
                                .time_out = out.time,
                                .mels_out = out.mels,
                                .channels = layer.channels,
                                .level = level_,
                                .activation = ToGpu(block.activation())};
    const GpuKernel kernel =
        block.kernel == 3 ? (block.stride == 1 ? GpuKernel::hearwire_depthwise_3_1 : GpuKernel::hearwire_depthwise_3_2)
                          : (block.stride == 1 ? GpuKernel::hearwire_depthwise_5_1 : GpuKernel::hearwire_depthwise_5_2);
    const size_t strips = BlocksFor(out.mels, kDepthwiseStrip);
    Add(kernel, BlocksFor(strips * shape_.windows * out.time * (layer.channels / 4), kMapThreads), kMapThreads, 0,
        args);
    size_ = out;
    if (block.stride == 2) ++level_;
  }

  void Pool(GpuKernel kernel, const float* x, int channels, bool maximum, float* y, int row_stride) {
    const PoolArgs args = {.x = x,
                           .lengths = input_.lengths,
                           .y = y,
                           .windows = shape_.windows,
                           .time = size_.time,
                           .mels = size_.mels,
                           .channels = channels,
                           .row_stride = row_stride,
                           .level = level_,
                           .maximum = maximum};
    if (kernel == GpuKernel::hearwire_pool) {
      Add(kernel, shape_.windows * BlocksFor(channels / 4, kPoolGroups), kPoolGroups * kPoolParts,
          kPoolGroups * kPoolParts * 16, args);
    } else {
      Add(kernel, BlocksFor(size_t{1} * shape_.windows * size_.mels * channels, kMapThreads), kMapThreads, 0, args);
    }
  }
  void PoolMean(const float* x, int channels, float* y) {
    Pool(GpuKernel::hearwire_pool, x, channels, /*maximum=*/false, y, channels);
  }

  void PoolFrames() {
    for (const Column& column : plan_.columns()) {
      if (column.feature != Feature::kMelAvgs) continue;
      const PoolFramesArgs args = {.rows = input_.rows,
                                   .index = input_.index,
                                   .lengths = input_.lengths,
                                   .y = input_.columns + column.offset,
                                   .windows = shape_.windows,
                                   .frames = shape_.frames,
                                   .mels = shape_.mels,
                                   .row_stride = plan_.width()};
      Add(GpuKernel::hearwire_pool_frames, BlocksFor(size_t{1} * shape_.windows * shape_.mels, kMapThreads),
          kMapThreads, 0, args);
    }
  }

  // What is read of the map that the last launch made.
  void ReadMap(Feature feature) {
    const int block = static_cast<int>(feature) - static_cast<int>(Feature::kBlock0);
    const int channels = block == 0 ? network_.stem.channels : network_.blocks[block - 1].projection.channels;
    for (const Column& column : plan_.columns()) {
      if (column.feature != feature) continue;
      const bool over_time =
          column.reduction == Reduction::kMeanOverTime || column.reduction == Reduction::kMaxOverTime;
      const bool maximum = column.reduction == Reduction::kMax || column.reduction == Reduction::kMaxOverTime;
      Pool(over_time ? GpuKernel::hearwire_pool_time : GpuKernel::hearwire_pool, Map(), channels, maximum,
           input_.columns + column.offset, plan_.width());
    }
  }

  // A vector that a layer makes of each window, where it is read.
  void ReadVector(Feature feature, const GpuLayer& layer, int activation, const float* x) {
    for (const Column& column : plan_.columns()) {
      if (column.feature != feature) continue;
      Pointwise(layer, activation, WindowRows(), x, input_.columns + column.offset, plan_.width());
    }
  }

  void RunBlock(int index) {
    const GpuBlock& block = network_.blocks[index - 1];
    const BlockShape& shape = network_.shape.blocks[index - 1];
    const float* const x = Map();
    const float* inner = x;
    if (block.expansion) {
      Pointwise(*block.expansion, ToGpu(shape.activation()), MapRows(), x, At(scratch_.expanded));
      inner = At(scratch_.expanded);
    }
    Depthwise(block.depthwise, shape, inner);
    const float* scale = nullptr;
    if (block.fc1) {
      float* const pooled = At(scratch_.pooled);
      PoolMean(At(scratch_.filtered), shape.expanded_channels, pooled);
      ReadVector(Se(index), *block.fc1, kGpuNone, pooled);
      Pointwise(*block.fc1, kGpuRelu, WindowRows(), pooled, At(scratch_.squeezed));
      Pointwise(*block.fc2, kGpuSigmoid, WindowRows(), At(scratch_.squeezed), At(scratch_.scale));
      scale = At(scratch_.scale);
    }
    map_ = 1 - map_;
    Pointwise(block.projection, kGpuNone, MapRows(), At(scratch_.filtered), Map(), block.projection.channels, scale,
              shape.has_residual() ? x : nullptr);
  }

  void RunHead(bool needs_classes) {
    Pointwise(network_.last, kGpuHardswish, MapRows(), Map(), At(scratch_.expanded));
    for (const Column& column : plan_.columns()) {
      if (column.feature != Feature::kClf1) continue;
      Pool(GpuKernel::hearwire_pool, At(scratch_.expanded), network_.last.channels, /*maximum=*/false,
           input_.columns + column.offset, plan_.width());
    }
    if (!needs_classes) return;
    const float* vector = At(scratch_.pooled);
    PoolMean(At(scratch_.expanded), network_.last.channels, At(scratch_.pooled));
    if (network_.hidden) {
      ReadVector(Feature::kClf2, *network_.hidden, kGpuHardswish, vector);
      Pointwise(*network_.hidden, kGpuHardswish, WindowRows(), vector, At(scratch_.squeezed));
      vector = At(scratch_.squeezed);
    }
    ReadVector(Feature::kLogits, network_.classes, kGpuNone, vector);
  }

  const GpuNetwork& network_;
  const ChunkShape shape_;
  const ColumnPlan& plan_;
  const PassInput input_;
  const int multiprocessors_;
  const Scratch scratch_;

  std::vector<GpuLaunch> launches_;
  int map_ = 0;        // Which of the two has the last block's output.
  MapSize size_ = {};  // Of that.
  int level_ = 0;
};

}  // namespace

size_t PassFloats(const NetworkShape& network, const ChunkShape& shape) { return LayOut(network, shape).end; }

PointwiseCut ChoosePointwiseCut(int rows, int channels, int multiprocessors) {
  // From the coarsest cut to the finest. Larger blocks read the weights less often; smaller ones keep more
  // multiprocessors busy. The first that gives each multiprocessor two blocks is taken.
  constexpr struct {
    int tiles, warps, fewest_columns, most_columns;
  } kSteps[] = {{2, 4, 3, 5}, {1, 4, 3, 5}, {1, 4, 2, 3}, {1, 2, 1, 2}};
  const int eights = (channels + 7) / 8;
  for (const auto& step : kSteps) {
    // The width that computes the fewest columns in vain, the larger of equals.
    const auto waste = [&](int columns) { return (eights + columns - 1) / columns * columns - eights; };
    int columns = step.most_columns;
    for (int fewer = columns - 1; fewer >= std::min(step.fewest_columns, eights); --fewer) {
      if (waste(fewer) < waste(columns)) columns = fewer;
    }
    const PointwiseCut cut = {columns, step.tiles, step.warps};
    const size_t blocks = size_t{BlocksFor(rows, cut.rows())} * BlocksFor(eights, columns);
    if (blocks >= 2 * static_cast<size_t>(multiprocessors)) return cut;
  }
  return {1, 1, 2};
}

GpuLaunch MakePointwiseLaunch(const PointwiseCut& cut, PointwiseArgs args) {
  // As kernel_list.h lists them: by columns, then sizes.
  const int size = cut.tiles == 2 ? 0 : cut.warps == 4 ? 1 : 2;
  const auto kernel =
      static_cast<GpuKernel>(static_cast<int>(GpuKernel::hearwire_pointwise_1_2_4) + 3 * (cut.columns - 1) + size);
  // Rows of a block begin and end anywhere in a window.
  args.scale_rows = args.scale == nullptr ? 0 : (cut.rows() - 2) / args.positions + 2;
  return MakeLaunch(kernel, BlocksFor(args.rows, cut.rows()) * BlocksFor(args.channels, size_t{8} * cut.columns),
                    32 * cut.warps, PointwiseSharedBytes(cut.columns, cut.tiles, cut.warps, args.scale_rows), args);
}

std::vector<GpuLaunch> MakeForwardPass(const GpuNetwork& network, const ChunkShape& shape, const ColumnPlan& plan,
                                       const PassInput& input, int multiprocessors) {
  return PassMaker(network, shape, plan, input, multiprocessors).Make();
}

}  // namespace hearwire
