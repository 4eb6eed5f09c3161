#include "models/torch/warm_up.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/chunks/column_plan.h"
#include "models/chunks/shared_frames.h"

namespace hearwire {
namespace {

// Timestamps come every 50 ms, the first and the last centred on an end of the clip.
constexpr int kClipTimestamps = 201;  // Of 10 s.
constexpr int kShortTimestamps = 21;  // Of 1 s.

int64_t Frames(const ChunkShape& shape) { return int64_t{1} * shape.windows * shape.frames; }

std::string ToText(const ChunkShape& shape) {
  return absl::StrCat(shape.windows, shape.windows == 1 ? " window of " : " windows of ", shape.frames, " frames");
}

// The likeliest first: a caller alone and a server under load, timestamps and scenes; then what lies between.
std::vector<ChunkShape> LikelyShapes(const ChunkNetwork& network, const ChunkPolicy& policy) {
  const int window = RoundUpFrames(network.window_frames, network);
  const int scene = network.scene_frames;
  std::vector<ChunkShape> shapes;
  const auto add = [&](int windows, int frames) {
    const int most = RoundDownWindows(policy.max_frames / frames);
    const ChunkShape shape = {std::min(RoundUpWindows(windows), most), frames, network.mels};
    if (std::find(shapes.begin(), shapes.end(), shape) == shapes.end()) shapes.push_back(shape);
  };
  constexpr int kMost = std::numeric_limits<int>::max() / 2;
  add(1, scene);
  add(kClipTimestamps, window);
  add(kMost, window);
  add(kMost, scene);
  add(kShortTimestamps, window);
  const auto add_up_to = [&](int max_frames, int frames) {
    for (int windows = 1; windows * frames <= max_frames; windows *= 2) add(windows, frames);
  };
  add_up_to(policy.max_frames, scene);
  add_up_to(policy.max_frames, window);
  // Shorter scenes, of any lengths: a few run at once in these; many, in shapes that are too many.
  const int small_frames = std::min(SmallChunkFrames(network, policy), policy.max_frames);
  for (const int divisor : {2, 4, 8}) add_up_to(small_frames, RoundUpFrames(scene / divisor, network));
  return shapes;
}

}  // namespace

std::vector<WarmUpChunk> ChooseWarmUp(absl::Span<const ChunkNetwork> networks, const ChunkPolicy& policy) {
  std::vector<std::vector<ChunkShape>> likely;
  size_t turns = 0;
  for (const ChunkNetwork& network : networks) {
    likely.push_back(LikelyShapes(network, policy));
    turns = std::max(turns, likely.back().size());
  }
  std::vector<WarmUpChunk> chunks;
  for (size_t turn = 0; turn < turns; ++turn) {
    for (size_t i = 0; i < networks.size(); ++i) {
      if (turn < likely[i].size()) chunks.push_back({static_cast<int>(i), likely[i][turn]});
    }
  }
  return chunks;
}

WarmUpTime::WarmUpTime(absl::Duration limit, Clock now) : limit_(limit), now_(std::move(now)) {}

void WarmUpTime::Begin() {
  const std::lock_guard<std::mutex> lock(mu_);
  if (!begin_) begin_ = now_();
}

bool WarmUpTime::IsOver() const {
  const std::lock_guard<std::mutex> lock(mu_);
  return begin_ && absl::FromChrono(now_() - *begin_) >= limit_;
}

bool WarmUpTime::MaySay() {
  const std::lock_guard<std::mutex> lock(mu_);
  return !std::exchange(said_, true);
}

void WarmUpTime::Restart() {
  const std::lock_guard<std::mutex> lock(mu_);
  begin_.reset();
  said_ = false;
}

absl::Status RunZeros(Slot& slot, const ChunkNetwork& network, const WarmUpChunk& chunk) {
  Readout readout;
  readout.features.Add(Feature::kLogits);
  const ColumnPlan plan(network.shape, network.mels, {readout});
  SharedFrames frames;
  frames.Collect({}, network.mels);
  const Chunk zeros = {chunk.shape, frames.rows(), chunk.shape.frames};
  const absl::StatusOr<ChunkInput> input = slot.Input(zeros);
  if (!input.ok()) return input.status();
  frames.Write(chunk.shape, *input);
  if (absl::Status status = slot.Start(chunk.network, zeros, plan); !status.ok()) return status;
  return slot.Finish().status();
}

absl::Status WarmUp(absl::Span<const WarmUpChunk> chunks,
                    const std::function<absl::Status(const WarmUpChunk& chunk)>& run, WarmUpTime& time,
                    const std::function<void(const std::string& message)>& warn) {
  ChunkShape too_large = {};  // The smallest for which memory was too little; no windows: there was none.
  absl::Status shortage;
  bool any_ran = false;
  time.Begin();
  for (size_t i = 0; i < chunks.size(); ++i) {
    const ChunkShape& shape = chunks[i].shape;
    if (!shortage.ok() && Frames(shape) >= Frames(too_large)) continue;
    if (any_ran && time.IsOver()) {
      if (warn && time.MaySay()) {
        warn(absl::StrCat("the warm-up ended after ", absl::FormatDuration(time.limit()), ", with ", i, " of ",
                          chunks.size(), " kinds of chunks done: the others, the likeliest of them ", ToText(shape),
                          ", will take longer when they first come"));
      }
      break;
    }
    const absl::Status status = run(chunks[i]);
    if (absl::IsResourceExhausted(status)) {
      too_large = shape;
      shortage = status;
    } else if (!status.ok()) {
      return status;
    } else {
      any_ran = true;
    }
  }
  if (shortage.ok()) return absl::OkStatus();
  if (!any_ran) return shortage;
  if (warn) {
    warn(absl::StrCat("the device has too little memory to warm up with ", ToText(too_large),
                      ": these and larger ones are left out, and will take longer when they first come (",
                      shortage.message(), ")"));
  }
  return absl::OkStatus();
}

}  // namespace hearwire
