#include "models/log_mel/copy_frame.h"

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
  for (int64_t i = job.window_begin + padding; i < job.window_end + padding; ++i) {
    window.push_back(padded[i + 1] - 0.97f * padded[i]);
  }
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

TEST(CopyFrameTest, GivesEveryFrameOfEveryWindow) {
  constexpr int64_t kSamples = 9000;  // Several chunks.
  const std::vector<float> clip = Wave(kSamples);
  SampleHistory history(0);
  history.Append(clip);
  for (const int64_t padding : {0, 1, 700, 2560, 8999}) {
    for (const int64_t window : {514, 1000, 9000}) {
      for (int64_t begin = -padding; begin + window <= kSamples + padding; begin += 1 + window / 3) {
        for (int64_t centre = 0; centre < window; centre += 57) {
          const FrameJob job{begin + centre - kFrameSamples / 2, begin, begin + window - 1};
          std::vector<float> frame(kFrameSamples);
          CopyFrame(history, kSamples, job, frame.data());
          ASSERT_EQ(frame, ExpectedFrame(clip, padding, job))
              << padding << " " << window << " " << begin << " " << centre;
        }
      }
    }
  }
}

TEST(CopyFrameTest, NeedsOnlyTheSamplesThatTheFrameSees) {
  const std::vector<float> clip = Wave(40000);
  SampleHistory history(0);
  history.Append(clip);
  const FrameJob job{20000, 18000, 24000};
  history.DropBefore(20000);
  std::vector<float> frame(kFrameSamples);
  CopyFrame(history, kUnknownSize, job, frame.data());
  EXPECT_EQ(frame, ExpectedFrame(clip, 0, job));
}

TEST(CopyFrameTest, WorksFarIntoAnEndlessStream) {
  constexpr int64_t kFirst = (int64_t{1} << 62) - 3000;
  const std::vector<float> clip = Wave(3000);
  SampleHistory history(kFirst);
  history.Append(clip);
  for (const int64_t begin : {100, 1500, 2500}) {
    const FrameJob job{begin - 400, begin, begin + 1000};  // The last one reaches over the end.
    const FrameJob far{kFirst + job.first_sample, kFirst + job.window_begin, kFirst + job.window_end};
    std::vector<float> frame(kFrameSamples);
    CopyFrame(history, kFirst + 3000, far, frame.data());
    EXPECT_EQ(frame, ExpectedFrame(clip, 1000, job));
  }
}

}  // namespace
}  // namespace hearwire
