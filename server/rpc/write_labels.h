// A head's answers: its labels with their scores.

#ifndef HEARWIRE_SERVER_RPC_WRITE_LABELS_H_
#define HEARWIRE_SERVER_RPC_WRITE_LABELS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "hearwire/v1/embedding.pb.h"
#include "models/heads/head_scores.h"
#include "server/pipeline/lane_plan.h"

namespace hearwire {

// Those of a lane's rows, [windows, row_size].
inline Embeddings EmbeddingsOf(const RowSlice& slice, absl::Span<const float> rows, int row_size) {
  const auto stride = static_cast<size_t>(row_size);
  return {rows.data() + slice.offset, rows.size() / stride, stride};
}

enum class LabelNames { kWritten, kLeftOut };

// What a row takes in a message beside its labels, at most.
inline constexpr int64_t kBytesPerLabelRow = 16;

// Answers in memory, with their bytes on their way out, take at most so many times what they do in a message: a label's
// object and its pointer are several times as large as the label's bytes. (classify_writer_test.cc measures it.)
inline constexpr int64_t kLabelsHeldPerByte = 8;

// Scores embeddings with heads and writes what came out. Keeps its workspace from one embedding to the next. Not
// thread-safe.
class LabelWriter {
 public:
  // top_k: labels that an answer carries; 0: all.
  explicit LabelWriter(uint32_t top_k) : top_k_(top_k) {}

  // The best labels of a scene, the lower index first among equals. embedding: [head.embedding_size()]
  void WriteScene(const Head& head, absl::Span<const float> embedding, LabelNames names,
                  google::protobuf::RepeatedPtrField<v1::Label>* labels);

  // A row for each of a clip's windows, the first of which has this number; without names.
  void WriteTimestamps(const Head& head, Embeddings embeddings, int64_t first_window,
                       google::protobuf::RepeatedPtrField<v1::LabelRow>* rows);

  // An upper bound of what one answer of the head takes in a message, beside a row's own fields.
  int64_t MostBytes(const Head& head, LabelNames names) const;

 private:
  size_t CountOf(const Head& head) const;
  void WriteBest(const Head& head, absl::Span<const float> scores, LabelNames names,
                 google::protobuf::RepeatedPtrField<v1::Label>* labels);

  const uint32_t top_k_;
  HeadWorkspace workspace_;
  std::vector<float> scores_;
  std::vector<size_t> order_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_WRITE_LABELS_H_
