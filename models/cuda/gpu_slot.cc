#include "models/cuda/gpu_slot.h"

#include <cstring>
#include <stdexcept>
#include <utility>

#include "models/chunks/chunk_graphs.h"
#include "models/cuda/forward_pass.h"

namespace hearwire {
namespace {

// ChunkGraphs speaks in exceptions.
class Failure : public std::runtime_error {
 public:
  explicit Failure(absl::Status status)
      : std::runtime_error(std::string(status.message())), status_(std::move(status)) {}
  const absl::Status& status() const { return status_; }

 private:
  const absl::Status status_;
};

void ThrowIfBad(const absl::Status& status) {
  if (!status.ok()) throw Failure(status);
}

class Graph final : public LaunchGraph {
 public:
  Graph(GpuStream& stream, std::unique_ptr<GpuGraph> graph) : stream_(stream), graph_(std::move(graph)) {}
  void Launch() override { ThrowIfBad(stream_.Launch(*graph_)); }

 private:
  GpuStream& stream_;
  const std::unique_ptr<GpuGraph> graph_;
};

class GpuSlot final : public Slot {
 public:
  GpuSlot(Gpu& gpu, std::unique_ptr<GpuStream> stream, const std::vector<std::unique_ptr<GpuNetwork>>& networks,
          const std::function<void(const std::string&)>& warn)
      : networks_(networks),
        multiprocessors_(gpu.multiprocessors()),
        stream_(std::move(stream)),
        host_input_(gpu),
        host_columns_(gpu),
        input_(gpu),
        columns_(gpu),
        scratch_(gpu),
        graphs_([this](const std::function<void()>&) { return Record(); }, warn) {}

  // Finish waits for what was started; a slot that fails midway waits at once.
  absl::StatusOr<ChunkInput> Input(const Chunk& chunk) override {
    const InputPlaces places(chunk);
    if (absl::Status status = host_input_.Reserve(places.end); !status.ok()) return status;
    char* const base = host_input_.as<char>();
    return ChunkInput{reinterpret_cast<float*>(base + places.rows), reinterpret_cast<int32_t*>(base + places.index),
                      reinterpret_cast<int32_t*>(base + places.lengths)};
  }

  absl::Status Start(int network, const Chunk& chunk, const ColumnPlan& plan) override {
    absl::Status status = TryStart(network, chunk, plan);
    if (!status.ok()) {
      const absl::Status settled = stream_->Wait();
      if (!settled.ok()) status = settled;
    }
    return status;
  }

  absl::StatusOr<const float*> Finish() override {
    if (absl::Status status = stream_->Wait(); !status.ok()) return status;
    return host_columns_.as<const float>();
  }

  void ReleaseMemory() override {
    graphs_.Clear();
    scratch_.Release();
    columns_.Release();
    input_.Release();
  }

 private:
  // Bytes from the start of the input, which travels in one copy. The lengths and the index come first: they have the
  // same place in every chunk of a shape, whichever number of rows follows.
  struct InputPlaces {
    explicit InputPlaces(const Chunk& chunk) {
      const size_t windows = static_cast<size_t>(chunk.shape.windows);
      lengths = 0;
      index = Aligned(windows * sizeof(int32_t));
      rows = Aligned(index + windows * chunk.shape.frames * sizeof(int32_t));
      end = rows + size_t{1} * static_cast<size_t>(chunk.rows) * chunk.shape.mels * sizeof(float);
      most = rows + (windows * chunk.shape.frames + 1) * chunk.shape.mels * sizeof(float);
    }
    static size_t Aligned(size_t bytes) { return (bytes + 255) / 256 * 256; }

    size_t lengths, index, rows, end;
    size_t most;  // Where it would end if no window shared a frame.
  };

  absl::Status TryStart(int network, const Chunk& chunk, const ColumnPlan& plan) {
    const ChunkShape& shape = chunk.shape;
    const InputPlaces places(chunk);
    const size_t column_bytes = size_t{1} * static_cast<size_t>(shape.windows) * plan.width() * sizeof(float);
    absl::Status status = Grow(input_, places.most);
    status.Update(Grow(columns_, column_bytes));
    status.Update(Grow(scratch_, PassFloats(networks_[network]->shape, shape) * sizeof(float)));
    status.Update(host_columns_.Reserve(column_bytes));
    if (!status.ok()) return status;
    if (status = stream_->CopyIn(input_.address(), host_input_.as<char>(), places.end); !status.ok()) return status;
    const PassInput input = {.rows = reinterpret_cast<const float*>(input_.address() + places.rows),
                             .index = reinterpret_cast<const int*>(input_.address() + places.index),
                             .lengths = reinterpret_cast<const int*>(input_.address() + places.lengths),
                             .columns = reinterpret_cast<float*>(columns_.address()),
                             .scratch = reinterpret_cast<float*>(scratch_.address())};
    // Not for a chunk that a graph is replayed of.
    make_pass_ = [&] { return MakeForwardPass(*networks_[network], shape, plan, input, multiprocessors_); };
    try {
      graphs_.Run(network, shape, plan.columns(), [&] { ThrowIfBad(stream_->Launch(make_pass_())); });
    } catch (const Failure& failure) {
      return failure.status();
    }
    return stream_->CopyOut(host_columns_.as<char>(), columns_.address(), column_bytes);
  }

  // Graphs are bound to addresses.
  absl::Status Grow(GpuMemory& memory, size_t bytes) {
    const GpuAddress before = memory.address();
    absl::Status status = memory.Reserve(bytes);
    if (memory.address() != before || !status.ok()) graphs_.Clear();
    return status;
  }

  std::unique_ptr<LaunchGraph> Record() {
    absl::StatusOr<std::unique_ptr<GpuGraph>> graph = stream_->Record(make_pass_());
    ThrowIfBad(graph.status());
    return std::make_unique<Graph>(*stream_, *std::move(graph));
  }

  const std::vector<std::unique_ptr<GpuNetwork>>& networks_;
  const int multiprocessors_;
  const std::unique_ptr<GpuStream> stream_;
  HostMemory host_input_;
  HostMemory host_columns_;
  GpuMemory input_;
  GpuMemory columns_;
  GpuMemory scratch_;
  std::function<std::vector<GpuLaunch>()> make_pass_;  // Of the chunk that is being started.
  ChunkGraphs graphs_;                                 // Before what they are bound to.
};

}  // namespace

absl::StatusOr<std::unique_ptr<Slot>> MakeGpuSlot(Gpu& gpu, const std::vector<std::unique_ptr<GpuNetwork>>& networks,
                                                  const std::function<void(const std::string&)>& warn) {
  absl::StatusOr<std::unique_ptr<GpuStream>> stream = gpu.NewStream();
  if (!stream.ok()) return stream.status();
  return std::make_unique<GpuSlot>(gpu, *std::move(stream), networks, warn);
}

}  // namespace hearwire
