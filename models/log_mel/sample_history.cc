#include "models/log_mel/sample_history.h"

#include <algorithm>
#include <utility>

namespace hearwire {

int64_t SampleHistory::bytes() const {
  int64_t owned = spare_ != nullptr ? 1 : 0;
  for (const Chunk& chunk : chunks_) owned += chunk.owned != nullptr ? 1 : 0;
  return owned * kChunkSamples * static_cast<int64_t>(sizeof(float));
}

void SampleHistory::Append(absl::Span<const float> samples) {
  while (!samples.empty()) {
    const bool has_room =
        !chunks_.empty() && chunks_.back().owned != nullptr && end_ - chunks_.back().first < kChunkSamples;
    if (!has_room) {
      Chunk chunk{.first = end_, .end = end_, .samples = nullptr, .owned = std::move(spare_)};
      if (chunk.owned == nullptr) chunk.owned.reset(new float[kChunkSamples]);
      chunk.samples = chunk.owned.get();
      chunks_.push_back(std::move(chunk));
    }
    Chunk& chunk = chunks_.back();
    const int64_t place = end_ - chunk.first;
    const size_t count = std::min(samples.size(), static_cast<size_t>(kChunkSamples - place));
    std::copy_n(samples.data(), count, chunk.owned.get() + place);
    end_ += static_cast<int64_t>(count);
    chunk.end = end_;
    samples.remove_prefix(count);
  }
}

void SampleHistory::AppendView(absl::Span<const float> samples) {
  const int64_t end = end_ + static_cast<int64_t>(samples.size());
  chunks_.push_back({.first = end_, .end = end, .samples = samples.data(), .owned = nullptr});
  end_ = end;
}

void SampleHistory::DropBefore(int64_t index) {
  begin_ = std::clamp(index, begin_, end_);
  while (!chunks_.empty() && chunks_.front().end <= begin_) {
    if (chunks_.front().owned != nullptr) spare_ = std::move(chunks_.front().owned);
    chunks_.pop_front();
    if (found_ > 0) --found_;
  }
}

size_t SampleHistory::FindChunk(int64_t index) const {
  while (chunks_[found_].first > index) --found_;
  while (chunks_[found_].end <= index) ++found_;
  return found_;
}

const float* SampleHistory::Read(int64_t index, int64_t count, float* scratch) const {
  size_t place = FindChunk(index);
  const Chunk& first = chunks_[place];
  if (index + count <= first.end) return first.samples + (index - first.first);
  float* out = scratch;
  while (true) {
    const Chunk& chunk = chunks_[place++];
    const int64_t piece = std::min(count, chunk.end - index);
    out = std::copy_n(chunk.samples + (index - chunk.first), piece, out);
    index += piece;
    count -= piece;
    if (count == 0) return scratch;
  }
}

}  // namespace hearwire
