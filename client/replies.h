// What calls answer, as plain structs.

#ifndef HEARWIRE_CLIENT_REPLIES_H_
#define HEARWIRE_CLIENT_REPLIES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"

namespace hearwire::client {

// What floats travel as. Either way they arrive as floats.
enum class ElementType {
  kFloat32,
  kFloat16,  // Half the bytes, rounded once by the server.
};

// Row-major; values.size() is rows x columns.
struct Matrix {
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<float> values;

  // Of row 0 to rows - 1; valid while the matrix is not changed.
  absl::Span<const float> row(int64_t index) const {
    return absl::MakeConstSpan(values).subspan(static_cast<size_t>(index * columns), static_cast<size_t>(columns));
  }
};

// Two embeddings may be compared only when their spaces are equal.
struct EmbeddingSpace {
  std::string config;          // Empty for tags.
  std::string weights_sha256;  // Of the checkpoint file, lower-case hexadecimal.
  std::string frontend;        // Version of the audio front end.
  std::string precision;       // "float32", "float16" or "bfloat16".

  friend bool operator==(const EmbeddingSpace&, const EmbeddingSpace&) = default;
};

// What the server spent on the call.
struct Timings {
  absl::Duration total;      // From the arrival of the whole request to the reply.
  absl::Duration decode;     // Decoding, resampling and spectrograms of all clips.
  absl::Duration queue;      // The longest wait of one of the call's windows for a batch.
  absl::Duration inference;  // Sum over the batches with the call's windows, shared batches counted whole.
};

struct SceneEmbeddings {
  Matrix embeddings;  // [clips, scene_embedding_size]
  EmbeddingSpace space;
  Timings timings;
  std::string request_id;  // As in the server's log; empty when the server gives none.
};

struct ClipTimestampEmbeddings {
  Matrix embeddings;                  // [timestamps, timestamp_embedding_size]
  std::vector<double> timestamps_ms;  // Centre of each row's window, from the clip's start.
};

struct TimestampEmbeddings {
  std::vector<ClipTimestampEmbeddings> clips;  // In the order of the request.
  EmbeddingSpace space;
  Timings timings;
  std::string request_id;
};

struct Tag {
  int index = 0;  // Place in the network's class list: AudioSet's, 0 to 526, unless it is the operator's own.
  std::string name;
  float probability = 0;  // Classes are not exclusive: probabilities do not add up to 1.
};

struct Tags {
  std::vector<std::vector<Tag>> clips;  // In the order of the request; each with the most probable first.
  EmbeddingSpace space;
  Timings timings;
  std::string request_id;
};

// What a head says.
struct Label {
  int index = 0;  // Place in the head's list of labels.
  std::string name;
  float score = 0;
};

struct LabelRow {
  double timestamp_ms = 0;    // Centre of the row's window.
  std::vector<Label> labels;  // Best first.
};

struct HeadAnswer {
  std::string head;
  std::vector<Label> labels;   // Of a scene head, best first.
  std::vector<LabelRow> rows;  // Of a timestamp head.
};

// One config that the server knows.
struct ConfigInfo {
  std::string name;
  std::string network;
  bool loaded = false;      // Its checkpoint is in memory: calls will be answered.
  bool is_default = false;  // What an empty config in a request means.
  int sample_rate_hz = 0;
  int64_t scene_embedding_size = 0;
  int64_t timestamp_embedding_size = 0;
  double timestamp_window_ms = 0;
  double timestamp_hop_ms = 0;
  int64_t min_scene_samples = 0;      // Shortest clip that can be embedded, at sample_rate_hz.
  int64_t min_timestamp_samples = 0;  // Likewise.
  EmbeddingSpace space;               // Empty when no checkpoint is loaded.
};

// What a server takes and gives at most; each is its flag of that name. 0: no such limit, or the server does not say.
struct ServerLimits {
  int64_t max_message_bytes = 0;  // One request.
  int64_t max_reply_bytes = 0;
  int max_clips = 0;                // In one request.
  double max_decoded_seconds = 0;   // One clip; not a stream.
  double max_deadline_seconds = 0;  // A later deadline is cut to this.
  int64_t max_piece_bytes = 0;      // Of a stream.
};

// Names of what has changed, each in one of these; the rest is as it was.
struct NameChanges {
  std::vector<std::string> added;
  std::vector<std::string> replaced;
  std::vector<std::string> removed;
};

// What a server serves otherwise since it has read its files again.
struct ReloadChanges {
  NameChanges networks;
  NameChanges heads;
  bool certificate_replaced = false;  // By this reload: the server looks every second by itself, too.
  bool tokens_replaced = false;       // Likewise.
};

enum class ServingStatus { kUnknown, kServing, kNotServing };

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_REPLIES_H_
