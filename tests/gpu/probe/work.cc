#include "tests/gpu/probe/work.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace hearwire {
namespace {

constexpr int kSampleRateHz = 32000;
constexpr int kTimestampWindowSamples = 5120;
constexpr int kTimestampFrames = 16;

std::vector<float> Noise(int seconds, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> samples(static_cast<size_t>(seconds) * kSampleRateHz);
  for (float& sample : samples) sample = static_cast<float>(random() >> 8) / (1 << 24) - 0.5f;
  return samples;
}

void AddRequests(const NetworkWeights& weights, absl::Span<const Window> windows, const Readout& readout, Work* work) {
  const size_t size = static_cast<size_t>(ReadoutSize(weights.shape, MelSettings().n_mels, readout));
  work->readouts = {readout};
  work->rows.assign(windows.size() * size, std::numeric_limits<float>::quiet_NaN());
  for (size_t i = 0; i < windows.size(); ++i)
    work->requests.push_back({windows[i], work->readouts, &work->rows[i * size]});
}

}  // namespace

Readout BodyReadout() {
  Readout readout;
  for (const int block : {5, 11, 13, 15}) readout.features.Add(Block(block));
  return readout;
}

absl::StatusOr<Amount> ParseAmount(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  Amount amount;
  amount.kind = parts[0];
  const bool known =
      amount.kind == "windows" || amount.kind == "timestamps" || amount.kind == "scene1" || amount.kind == "scene10";
  if (!known || parts.size() != 2 || !absl::SimpleAtoi(parts[1], &amount.count) || amount.count < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is no amount of work; windows:64, timestamps:16, scene1:64 and scene10:4 are"));
  }
  return amount;
}

absl::Status Work::CheckRows() const {
  for (const float value : rows) {
    if (!std::isfinite(value)) return absl::InternalError("a value of the rows is not finite");
  }
  return absl::OkStatus();
}

absl::Status CheckReversed(Embedder& embedder, Work& work, absl::Span<const float> rows, double tolerance) {
  std::fill(work.rows.begin(), work.rows.end(), std::numeric_limits<float>::quiet_NaN());
  std::reverse(work.requests.begin(), work.requests.end());
  if (absl::Status status = embedder.Embed(0, work.requests); !status.ok()) return status;
  if (absl::Status status = work.CheckRows(); !status.ok()) return status;
  double largest = 0, difference = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(rows[i])));
    difference = std::max(difference, std::abs(static_cast<double>(work.rows[i]) - rows[i]));
  }
  if (difference <= tolerance * largest) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("rows of a later call, with its windows in the reverse order, are off by ",
                                          difference / largest, " of the largest value"));
}

Work MakeRandomWork(const NetworkWeights& weights, int frames, int count, const Readout& readout, uint32_t seed) {
  Work work;
  // Long windows are few: their values take memory.
  for (int i = 0; i < std::min(count, frames > 200 ? 16 : 512); ++i) {
    work.random.push_back(MakeRandomWindow(frames, MelSettings().n_mels, seed + static_cast<uint32_t>(i)));
  }
  std::vector<Window> windows;
  for (int i = 0; i < count; ++i) windows.push_back(work.random[static_cast<size_t>(i) % work.random.size()].window);
  AddRequests(weights, windows, readout, &work);
  return work;
}

absl::StatusOr<Work> MakeWork(const NetworkWeights& weights, const Amount& amount) {
  if (amount.kind == "windows") return MakeRandomWork(weights, kTimestampFrames, amount.count, BodyReadout());
  Work work;
  for (int i = 0; i < std::min(amount.count, 4); ++i) {
    const std::vector<float> clip = Noise(amount.kind == "scene1" ? 1 : 10, static_cast<uint32_t>(i));
    absl::StatusOr<ClipWindows> windows = amount.kind == "timestamps"
                                              ? MakeTimestampWindows(clip, kTimestampWindowSamples, MelSettings())
                                              : MakeSceneWindows(clip, MelSettings());
    if (!windows.ok()) return windows.status();
    work.clips.push_back(*std::move(windows));
  }
  std::vector<Window> windows;
  for (int i = 0; i < amount.count; ++i) {
    const ClipWindows& clip = work.clips[static_cast<size_t>(i) % work.clips.size()];
    windows.insert(windows.end(), clip.windows.begin(), clip.windows.end());
  }
  AddRequests(weights, windows, BodyReadout(), &work);
  return work;
}

}  // namespace hearwire
