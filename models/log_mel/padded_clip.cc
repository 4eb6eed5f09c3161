#include "models/log_mel/padded_clip.h"

#include <algorithm>

#include "models/log_mel/pre_emphasis.h"

namespace hearwire {

float PaddedClip::Sample(int64_t position) const {
  int64_t index = position - padding_;
  if (index < 0) index = -index;
  if (index >= size_) index = 2 * (size_ - 1) - index;
  return clip_[static_cast<size_t>(index)];
}

float PaddedClip::PreEmphasised(int64_t position) const { return PreEmphasise(Sample(position), Sample(position + 1)); }

void PaddedClip::CopyFrame(const FrameJob& job, float* out) const {
  // The part of the frame inside its window, and the part of that which needs no padding.
  const int64_t inside_begin = std::max(job.window_begin, job.first_sample);
  const int64_t inside_end = std::min(job.window_end, job.first_sample + kFrameSamples);
  const int64_t plain_begin = std::clamp(padding_, inside_begin, inside_end);
  const int64_t plain_end = std::clamp(padding_ + size_ - 1, plain_begin, inside_end);

  int64_t i = 0;
  auto position = [&] { return job.first_sample + i; };
  i += CopyMirrored(2 * job.window_begin - position(), inside_begin - position(), out);
  for (; position() < plain_begin; ++i) out[i] = PreEmphasised(position());
  if (const int64_t count = plain_end - plain_begin; count > 0) {
    PreEmphasise(clip_.data() + (plain_begin - padding_), static_cast<size_t>(count), out + i);
    i += count;
  }
  for (; position() < inside_end; ++i) out[i] = PreEmphasised(position());
  CopyMirrored(2 * (job.window_end - 1) - position(), kFrameSamples - i, out + i);
}

int64_t PaddedClip::CopyMirrored(int64_t first, int64_t count, float* out) const {
  if (count <= 0) return 0;
  const int64_t last = first - count + 1;
  if (last < padding_ || first >= padding_ + size_ - 1) {
    for (int64_t i = 0; i < count; ++i) out[i] = PreEmphasised(first - i);
    return count;
  }
  PreEmphasiseBackwards(clip_.data() + (last - padding_), static_cast<size_t>(count), out);
  return count;
}

}  // namespace hearwire
