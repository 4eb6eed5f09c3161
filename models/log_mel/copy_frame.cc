#include "models/log_mel/copy_frame.h"

#include <algorithm>
#include <cstddef>

#include "models/log_mel/pre_emphasis.h"

namespace hearwire {
namespace {

// Pre-emphasis takes one more than a frame has.
constexpr int64_t kMostSamples = kFrameSamples + 1;

// Sums of positions could leave 64 bits near the end of an endless stream; differences cannot.
int64_t Mirror(int64_t position, int64_t axis) { return axis - (position - axis); }

// Copies the samples from_index, from_index - 1, …
float* CopyReversed(const SampleHistory& clip, int64_t from_index, int64_t count, float* out) {
  float scratch[kMostSamples];
  const float* const samples = clip.Read(from_index - count + 1, count, scratch);
  return std::reverse_copy(samples, samples + count, out);
}

// The samples at positions begin to end, in their order: where they lie, or copied to scratch[end - begin].
const float* Unfold(const SampleHistory& clip, int64_t clip_size, int64_t begin, int64_t end, float* scratch) {
  if (begin >= 0 && end <= clip_size) return clip.Read(begin, end - begin, scratch);
  float* out = scratch;
  if (begin < 0) {
    const int64_t count = std::min<int64_t>(end, 0) - begin;
    out = CopyReversed(clip, -begin, count, out);
    begin += count;
  }
  if (const int64_t count = std::min(end, clip_size) - begin; count > 0) {
    float inside[kMostSamples];
    out = std::copy_n(clip.Read(begin, count, inside), count, out);
    begin += count;
  }
  if (begin < end) CopyReversed(clip, Mirror(begin, clip_size - 1), end - begin, out);
  return scratch;
}

}  // namespace

void CopyFrame(const SampleHistory& clip, int64_t clip_size, const FrameJob& job, float* out) {
  // The part of the frame inside its window, and what the reflections of the rest see.
  const int64_t frame_end = job.first_sample + kFrameSamples;
  const int64_t inside_begin = std::max(job.window_begin, job.first_sample);
  const int64_t inside_end = std::min(job.window_end, frame_end);
  const int64_t left_first = Mirror(job.first_sample, job.window_begin);
  const int64_t right_last = Mirror(frame_end - 1, job.window_end - 1);
  const int64_t left = inside_begin - job.first_sample;
  const int64_t right = frame_end - inside_end;
  const int64_t begin = right > 0 ? std::min(inside_begin, right_last) : inside_begin;
  const int64_t end = left > 0 ? std::max(inside_end, left_first + 1) : inside_end;

  float scratch[kMostSamples];
  const float* const samples = Unfold(clip, clip_size, begin, end + 1, scratch);
  const auto at = [&](int64_t position) { return samples + (position - begin); };
  if (left > 0) PreEmphasiseBackwards(at(left_first - left + 1), static_cast<size_t>(left), out);
  PreEmphasise(at(inside_begin), static_cast<size_t>(inside_end - inside_begin), out + left);
  if (right > 0) PreEmphasiseBackwards(at(right_last), static_cast<size_t>(right), out + (kFrameSamples - right));
}

}  // namespace hearwire
