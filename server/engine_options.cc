#include "server/engine_options.h"

#include <algorithm>
#include <utility>

namespace hearwire {
namespace {

// On a CPU a batch of 1024 frames runs as well as a larger one, but for what a batch costs by itself.
constexpr absl::Duration kCpuBatchTime = absl::Milliseconds(5);

}  // namespace

BatcherOptions MakeBatcherOptions(const Machine& machine, const std::string& device, ServerOptions options) {
  FillFromMachine(machine, device, &options);
  BatcherOptions batching;
  batching.queue.max_batch_frames = options.max_batch_frames;
  batching.queue.max_queued_frames = options.max_queued_frames;
  batching.queue.max_queue_time = options.max_queue_time;
  // One batch runs and the next one waits. No call is larger than the queue.
  batching.queue.credit_frames = std::min(2 * batching.queue.max_batch_frames, batching.queue.max_queued_frames);
  batching.queue.max_queue_delay = options.max_queue_delay;
  batching.workers = options.workers;
  batching.worker_cpus = WorkerCpus(machine, options);
  if (IsCuda(device)) {
    // Nothing smaller than a full batch is cut.
    batching.queue.min_shared_frames = batching.queue.max_batch_frames;
    // The other half of the CPUs prepares calls.
    batching.answer_threads = std::max(machine.cpus / 2, 1);
  } else {
    batching.queue.max_batch_time = kCpuBatchTime;
  }
  return batching;
}

std::vector<EngineSpec> MakeEngineSpecs(const Machine& machine, std::vector<std::unique_ptr<Backend>> backends,
                                        const ServerOptions& options) {
  std::vector<EngineSpec> specs;
  for (std::unique_ptr<Backend>& backend : backends) {
    BatcherOptions batching = MakeBatcherOptions(machine, backend->device(), options);
    specs.push_back({std::move(backend), std::move(batching)});
  }
  return specs;
}

}  // namespace hearwire
