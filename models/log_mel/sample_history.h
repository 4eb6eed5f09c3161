// The last stretch of an endless run of samples.

#ifndef HEARWIRE_MODELS_LOG_MEL_SAMPLE_HISTORY_H_
#define HEARWIRE_MODELS_LOG_MEL_SAMPLE_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "absl/types/span.h"

namespace hearwire {

// Samples are found by their index, which goes on counting when old ones are dropped. Memory: the samples held, in
// chunks, the outermost two of which may be part empty, and a spare one. One thread at a time.
class SampleHistory {
 public:
  static constexpr int64_t kChunkSamples = 8192;

  // first: index of the first sample to come.
  explicit SampleHistory(int64_t first) : begin_(first), end_(first) {}

  int64_t begin() const { return begin_; }  // Of the first sample held.
  int64_t end() const { return end_; }      // Of the next one to come.
  int64_t bytes() const;                    // Of what is owned.

  // Copies them.
  void Append(absl::Span<const float> samples);
  // Views them: they must stay until they are dropped, or this is gone.
  void AppendView(absl::Span<const float> samples);

  // Forgets the samples before `index`. Above end(): all.
  void DropBefore(int64_t index);

  // Samples index to index + count, where they lie, or else copied to scratch[count]. All must be held. count: above 0.
  const float* Read(int64_t index, int64_t count, float* scratch) const;

 private:
  struct Chunk {
    int64_t first;  // Index of its first sample.
    int64_t end;
    const float* samples;
    std::unique_ptr<float[]> owned;  // [kChunkSamples]; null: a view.
  };

  size_t FindChunk(int64_t index) const;

  int64_t begin_;
  int64_t end_;
  std::deque<Chunk> chunks_;
  std::unique_ptr<float[]> spare_;
  mutable size_t found_ = 0;  // Where the last search ended: the next one is for a sample nearby.
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_LOG_MEL_SAMPLE_HISTORY_H_
