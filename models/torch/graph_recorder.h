// Records CUDA graphs: the one part that needs CUDA's headers, and symbols of libtorch_cuda when it is loaded. So it is
// a module of its own, libhearwire_torch_graphs.so, which is loaded only where graphs are asked for; an installation
// without CUDA never meets it.
//
// Never yet run on a GPU, and off unless asked for (CudaTuning::graphs): what was read cannot settle whether a capture
// always succeeds beside other workers. Known from LibTorch's sources and issues:
//   - A capture lets other threads allocate and launch (thread-local mode), and only one at a time runs here.
//   - While one runs, LibTorch refuses to empty its cache of device memory. A worker that wants to, because memory is
//     short, does not get it and runs in smaller parts.
//   - cuDNN must not time plans within a capture. So chunks run first by themselves, on the same thread; their plans
//     are there then.
//   - Before LibTorch 2.12 a capture that fails leaves its memory behind.

#ifndef HEARWIRE_MODELS_TORCH_GRAPH_RECORDER_H_
#define HEARWIRE_MODELS_TORCH_GRAPH_RECORDER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "models/chunks/chunk_graphs.h"

namespace hearwire {

// Of one worker: its graphs share one pool of device memory, so they must run one after the other, on one stream.
class GraphRecorder {
 public:
  virtual ~GraphRecorder() = default;

  // Records what `work` launches on the current stream, which is not the default one, without running it. Throws
  // LibTorch's exceptions; nothing is being recorded then.
  virtual std::unique_ptr<LaunchGraph> Record(const std::function<void()>& work) = 0;
};

inline constexpr char kGraphModuleFile[] = "libhearwire_torch_graphs.so";
inline constexpr char kMakeGraphRecorderName[] = "HearwireMakeGraphRecorder";

// What the module exports under that name. Owned by the caller.
using MakeGraphRecorderFunction = GraphRecorder*();

// After LoadCudaLibrary. The module's file lies beside the one that this code is in. FAILED_PRECONDITION: it is not
// there, or not of LibTorch's build; the message says what would help. Thread-safe.
absl::StatusOr<std::shared_ptr<GraphRecorder>> MakeGraphRecorder();
absl::StatusOr<std::shared_ptr<GraphRecorder>> MakeGraphRecorderFrom(const std::string& path);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_TORCH_GRAPH_RECORDER_H_
