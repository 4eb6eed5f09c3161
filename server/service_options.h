// What the pipeline and the services are held to: what of their options the server's own say.

#ifndef HEARWIRE_SERVER_SERVICE_OPTIONS_H_
#define HEARWIRE_SERVER_SERVICE_OPTIONS_H_

#include "server/options.h"
#include "server/pipeline/pipeline.h"
#include "server/rpc/embedding_service.h"

namespace hearwire {

// options: filled from the machine. capacity: derived from them.
PipelineOptions MakePipelineOptions(const ServerOptions& options, const Capacity& capacity);

// All but what the server's other parts give: precision, door, counters, and when a connection is too old for streams.
EmbeddingServiceOptions MakeServiceOptions(const ServerOptions& options);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_SERVICE_OPTIONS_H_
