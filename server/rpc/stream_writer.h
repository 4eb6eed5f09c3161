// The messages of a stream, made of its rows as they come.

#ifndef HEARWIRE_SERVER_RPC_STREAM_WRITER_H_
#define HEARWIRE_SERVER_RPC_STREAM_WRITER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "hearwire/v1/embedding.pb.h"
#include "server/pipeline/reply_sink.h"
#include "server/pipeline/scene_mean.h"
#include "server/rpc/read_request.h"
#include "server/rpc/read_stream_start.h"
#include "server/rpc/write_labels.h"

namespace hearwire {

// Not thread-safe.
class StreamWriter {
 public:
  using Messages = std::vector<std::unique_ptr<v1::StreamEmbeddingsResponse>>;

  // plan outlives it. precision: as EmbeddingSpace has it.
  StreamWriter(const StreamPlan& plan, std::string_view precision);

  // What the messages of all rows that are prepared at once may take in memory.
  int64_t MostBytesAhead() const;

  // The first message.
  void WriteStarted(v1::StreamEmbeddingsResponse* message) const;

  // Appends the messages that these rows make. INVALID_ARGUMENT: a value is beyond what float16 holds; the rows before
  // it have been written.
  std::optional<RequestFault> WriteRows(const WindowRows& rows, Messages* messages);

  // The last message. audio_ms: the recording's length. As WriteRows.
  std::optional<RequestFault> WriteSummary(double audio_ms, v1::StreamEmbeddingsResponse* message);

 private:
  // Takes off *rows those that were not written.
  std::optional<RequestFault> WriteTimestamps(WindowRows* rows, Messages* messages);
  std::optional<RequestFault> WriteScenes(const WindowRows& rows, Messages* messages);
  void WriteHeadRows(const WindowRows& rows, Messages* messages);
  // Writes what was asked for of a row of the scene lane. embedding: of the message.
  template <typename Message>
  std::optional<RequestFault> WriteScene(absl::Span<const float> row, v1::Matrix* (Message::*embedding)(),
                                         Message* message);
  // Of the heads of this kind, what answers to one row of its lane take in a message, at most.
  int64_t MostAnswerBytes(Head::Kind kind) const;

  const StreamPlan& plan_;
  const std::string_view precision_;
  const int embedding_size_;
  LabelWriter labels_;
  int64_t timestamp_rows_ = 0;
  int64_t scene_windows_ = 0;
  SceneMean scene_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_STREAM_WRITER_H_
