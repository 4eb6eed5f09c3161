#include "models/log_mel/padded_clip.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace hearwire {
namespace {

std::vector<float> Wave(int samples) {
  std::vector<float> wave(samples);
  for (int i = 0; i < samples; ++i) wave[i] = std::sin(0.01f * static_cast<float>(i * i % 997));
  return wave;
}

// Padding, pre-emphasis and the window's reflection, each written out.
std::vector<float> ExpectedFrame(const std::vector<float>& clip, int64_t padding, const FrameJob& job) {
  std::vector<float> padded;
  for (int64_t i = padding; i > 0; --i) padded.push_back(clip[i]);
  padded.insert(padded.end(), clip.begin(), clip.end());
  for (int64_t i = 2; i <= padding + 1; ++i) padded.push_back(clip[clip.size() - i]);
  std::vector<float> window;
  for (int64_t i = job.window_begin; i < job.window_end; ++i) window.push_back(padded[i + 1] - 0.97f * padded[i]);
  std::vector<float> frame;
  for (int64_t i = 0; i < kFrameSamples; ++i) {
    int64_t place = job.first_sample + i - job.window_begin;
    if (place < 0) place = -place;
    const int64_t size = static_cast<int64_t>(window.size());
    if (place >= size) place = 2 * (size - 1) - place;
    frame.push_back(window[place]);
  }
  return frame;
}

TEST(PaddedClipTest, GivesEveryFrameOfEveryWindow) {
  const std::vector<float> clip = Wave(4000);
  for (const int64_t padding : {0, 1, 700, 2560, 3999}) {
    const PaddedClip padded(clip, padding);
    ASSERT_EQ(padded.size(), 4000 + 2 * padding);
    for (const int64_t window : {514, 1000, 4000}) {
      for (int64_t begin = 0; begin + window <= padded.size(); begin += 1 + window / 3) {
        for (int64_t centre = 0; centre < window; centre += 57) {
          const FrameJob job{begin + centre - kFrameSamples / 2, begin, begin + window - 1};
          std::vector<float> frame(kFrameSamples);
          padded.CopyFrame(job, frame.data());
          ASSERT_EQ(frame, ExpectedFrame(clip, padding, job))
              << padding << " " << window << " " << begin << " " << centre;
        }
      }
    }
  }
}

}  // namespace
}  // namespace hearwire
