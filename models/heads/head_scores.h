// From an embedding to a head's scores.

#ifndef HEARWIRE_MODELS_HEADS_HEAD_SCORES_H_
#define HEARWIRE_MODELS_HEADS_HEAD_SCORES_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "models/heads/head.h"

namespace hearwire {

// What scoring needs beside the head: one for each thread, whatever the heads. Grows to what the largest needs, so that
// later embeddings allocate nothing.
struct HeadWorkspace {
  std::vector<double> input;
  std::vector<double> output;
};

// Embeddings that lie at equal distances, such as the same part of a lane's rows.
struct Embeddings {
  const float* first = nullptr;
  size_t count = 0;
  size_t stride = 0;  // Values from one to the next.
};

// Writes the scores of each embedding: a softmax, or sigmoids (see Head::Output). Computed in double precision, rounded
// once at the end; finite for finite embeddings, and the same to the bit whatever they are scored with. Many at once
// cost less than one by one: weights are loaded once for several.
void ComputeHeadScores(const Head& head, const Embeddings& embeddings,       // Of head.embedding_size() values.
                       HeadWorkspace* workspace, absl::Span<float> scores);  // [count, head.labels.size()]

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_HEADS_HEAD_SCORES_H_
