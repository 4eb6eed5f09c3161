// How a backend is fed: what of the batcher's options depends on the backend's device.

#ifndef HEARWIRE_SERVER_ENGINE_OPTIONS_H_
#define HEARWIRE_SERVER_ENGINE_OPTIONS_H_

#include <memory>
#include <string>
#include <vector>

#include "models/embedder.h"
#include "server/batching/batcher.h"
#include "server/engines/engines.h"
#include "server/machine.h"
#include "server/options.h"

namespace hearwire {

// device: Backend::device(). What the options leave open is taken from the machine.
//
// On the CPU a worker computes, so what waits is divided over all of them. On CUDA a worker only feeds the device: what
// waits stays one batch up to the largest, the second worker has the next batch under way while one runs, and other
// threads answer.
BatcherOptions MakeBatcherOptions(const Machine& machine, const std::string& device, ServerOptions options);

// Each backend with its options.
std::vector<EngineSpec> MakeEngineSpecs(const Machine& machine, std::vector<std::unique_ptr<Backend>> backends,
                                        const ServerOptions& options);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_ENGINE_OPTIONS_H_
