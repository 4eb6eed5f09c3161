// From an embedding to a head's scores.

#ifndef HEARWIRE_MODELS_HEADS_HEAD_SCORES_H_
#define HEARWIRE_MODELS_HEADS_HEAD_SCORES_H_

#include <vector>

#include "absl/types/span.h"
#include "models/heads/head.h"

namespace hearwire {

// What scoring needs beside the head: one for each thread, whatever the heads. Grows to what the largest needs, so that
// later rows allocate nothing.
struct HeadWorkspace {
  std::vector<double> input;
  std::vector<double> output;
};

// Writes the scores of one embedding: a softmax, or sigmoids (see Head::Output). Computed in double precision, rounded
// once at the end; finite for finite embeddings.
void ComputeHeadScores(const Head& head, absl::Span<const float> embedding,  // [head.embedding_size()]
                       HeadWorkspace* workspace, absl::Span<float> scores);  // [head.labels.size()]

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_HEADS_HEAD_SCORES_H_
