#include "models/log_mel/copy_frame.h"

#include <algorithm>
#include <cstddef>

#include "models/log_mel/pre_emphasis.h"

namespace hearwire {
namespace {

// Sums of positions could leave 64 bits near the end of an endless stream; differences cannot.
int64_t Mirror(int64_t position, int64_t axis) { return axis - (position - axis); }

// The samples around one frame, together in memory.
class Excerpt {
 public:
  // The samples at positions first to last.
  Excerpt(const SampleHistory& clip, int64_t clip_size, int64_t first, int64_t last) : size_(clip_size) {
    const int64_t at_first = Index(first);
    const int64_t at_last = Index(last);
    begin_ = first < 0 && last > 0 ? 0 : std::min(at_first, at_last);
    const int64_t end = first < size_ - 1 && last > size_ - 1 ? size_ - 1 : std::max(at_first, at_last);
    samples_ = clip.Read(begin_, end - begin_ + 1, scratch_);
  }

  int64_t size() const { return size_; }
  float PreEmphasised(int64_t position) const { return PreEmphasise(Sample(position), Sample(position + 1)); }

  // Where the sample of a position within the clip lies.
  const float* At(int64_t position) const { return samples_ + (position - begin_); }

  // Writes the values at first, first - 1, …: out[count]. Returns how many.
  int64_t CopyMirrored(int64_t first, int64_t count, float* out) const {
    if (count <= 0) return 0;
    const int64_t last = first - count + 1;
    if (last < 0 || first >= size_ - 1) {
      for (int64_t i = 0; i < count; ++i) out[i] = PreEmphasised(first - i);
      return count;
    }
    PreEmphasiseBackwards(At(last), static_cast<size_t>(count), out);
    return count;
  }

 private:
  int64_t Index(int64_t position) const {
    const int64_t index = position < 0 ? -position : position;
    return index < size_ ? index : Mirror(index, size_ - 1);
  }
  float Sample(int64_t position) const { return samples_[Index(position) - begin_]; }

  const int64_t size_;
  int64_t begin_;  // Index of the first sample.
  const float* samples_;
  float scratch_[kFrameSamples + 1];
};

}  // namespace

void CopyFrame(const SampleHistory& clip, int64_t clip_size, const FrameJob& job, float* out) {
  // The part of the frame inside its window, and what the reflections of the rest see.
  const int64_t frame_end = job.first_sample + kFrameSamples;
  const int64_t inside_begin = std::max(job.window_begin, job.first_sample);
  const int64_t inside_end = std::min(job.window_end, frame_end);
  const int64_t left_first = Mirror(job.first_sample, job.window_begin);
  const int64_t right_last = Mirror(frame_end - 1, job.window_end - 1);
  int64_t first = inside_begin;
  int64_t last = inside_end - 1;
  if (job.first_sample < inside_begin) last = std::max(last, left_first);
  if (inside_end < frame_end) first = std::min(first, right_last);
  const Excerpt excerpt(clip, clip_size, first, last + 1);

  // The part inside that needs no reflection at the clip's ends.
  const int64_t plain_begin = std::clamp<int64_t>(0, inside_begin, inside_end);
  const int64_t plain_end = std::clamp(clip_size - 1, plain_begin, inside_end);

  int64_t i = 0;
  auto position = [&] { return job.first_sample + i; };
  i += excerpt.CopyMirrored(left_first, inside_begin - position(), out);
  for (; position() < plain_begin; ++i) out[i] = excerpt.PreEmphasised(position());
  if (const int64_t count = plain_end - plain_begin; count > 0) {
    PreEmphasise(excerpt.At(plain_begin), static_cast<size_t>(count), out + i);
    i += count;
  }
  for (; position() < inside_end; ++i) out[i] = excerpt.PreEmphasised(position());
  excerpt.CopyMirrored(Mirror(position(), job.window_end - 1), kFrameSamples - i, out + i);
}

}  // namespace hearwire
