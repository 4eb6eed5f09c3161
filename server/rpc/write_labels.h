// A head's answers: its labels with their scores.

#ifndef HEARWIRE_SERVER_RPC_WRITE_LABELS_H_
#define HEARWIRE_SERVER_RPC_WRITE_LABELS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "hearwire/v1/embedding.pb.h"
#include "models/heads/head_scores.h"

namespace hearwire {

enum class LabelNames { kWritten, kLeftOut };

// Scores embeddings with heads and writes what came out. Keeps its workspace from one embedding to the next. Not
// thread-safe.
class LabelWriter {
 public:
  // top_k: labels that an answer carries; 0: all.
  explicit LabelWriter(uint32_t top_k) : top_k_(top_k) {}

  // The best labels, the lower index first among equals. embedding: [head.embedding_size()]
  void Write(const Head& head, absl::Span<const float> embedding, LabelNames names,
             google::protobuf::RepeatedPtrField<v1::Label>* labels);

  // An upper bound of what one answer of the head takes in a message.
  int64_t MostBytes(const Head& head, LabelNames names) const;

 private:
  size_t CountOf(const Head& head) const;

  const uint32_t top_k_;
  HeadWorkspace workspace_;
  std::vector<float> scores_;
  std::vector<size_t> order_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_WRITE_LABELS_H_
