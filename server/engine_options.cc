#include "server/engine_options.h"

namespace hearwire {

BatcherOptions MakeBatcherOptions(const Machine& machine, const std::string& device, ServerOptions options) {
  FillFromMachine(machine, device, &options);
  BatcherOptions batching;
  batching.queue.max_batch_frames = options.max_batch_frames;
  batching.queue.max_queued_frames = options.max_queued_frames;
  batching.queue.max_queue_delay = options.max_queue_delay;
  batching.workers = options.workers;
  batching.worker_cpus = WorkerCpus(machine, options);
  // Nothing smaller than a full batch is cut.
  if (IsCuda(device)) batching.queue.min_shared_frames = batching.queue.max_batch_frames;
  return batching;
}

}  // namespace hearwire
