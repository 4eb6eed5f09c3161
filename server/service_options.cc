#include "server/service_options.h"

#include "server/address_space.h"

namespace hearwire {

PipelineOptions MakePipelineOptions(const ServerOptions& options, const Capacity& capacity) {
  PipelineOptions preparing;
  preparing.threads = capacity.preparation_threads;
  preparing.max_reply_bytes = options.max_reply_bytes;
  preparing.max_bytes_in_flight = capacity.pipeline_memory_bytes;
  preparing.has_room = AddressSpaceHasRoomFor;
  preparing.audio.max_decoded = options.max_decoded;
  return preparing;
}

EmbeddingServiceOptions MakeServiceOptions(const ServerOptions& options) {
  EmbeddingServiceOptions serving;
  serving.default_config = options.default_config;
  serving.max_clips = options.max_clips;
  serving.max_deadline = options.max_deadline;
  serving.max_message_bytes = options.max_message_bytes;
  serving.max_reply_bytes = options.max_reply_bytes;
  serving.max_decoded = options.max_decoded;
  serving.streams.max_streams = options.max_streams;
  serving.streams.max_streams_per_caller = MaxStreamsPerCaller(options);
  serving.streams.max_piece_bytes = options.max_piece_bytes;
  serving.streams.idle_timeout = options.stream_idle_timeout;
  if (options.max_stream_duration > absl::ZeroDuration()) serving.streams.max_duration = options.max_stream_duration;
  return serving;
}

}  // namespace hearwire
