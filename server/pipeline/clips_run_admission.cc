// How a call gets in: what it needs is measured and reserved before anything is decoded.

#include <algorithm>
#include <utility>

#include "server/pipeline/call_errors.h"
#include "server/pipeline/clip_size.h"
#include "server/pipeline/clips_run.h"

namespace hearwire {

void ClipsRun::Start() {
  KnownSize known;
  std::optional<CallError> refused = ContainCall([&] {
    known = MeasureClips();
    return ReserveRoom(known);
  });
  if (refused) return Finish(std::move(refused));
  if (std::optional<CallError> error = EnterBatchers(known.lanes)) return EndWhilePreparing(*std::move(error));
  const int tasks = std::min(clip_count_, parts_.options.threads);
  {
    MutexLock lock(&mu_);
    tasks_ = tasks;
    samples_left_ = known.samples;
  }
  for (int i = 0; i < tasks; ++i) Schedule(known.samples);
}

ClipsRun::KnownSize ClipsRun::MeasureClips() const {
  KnownSize known;
  known.lanes.resize(request_.lanes.size());
  for (int clip = 0; clip < clip_count_; ++clip) {
    const int64_t samples = LeastSamples(request_, clip, parts_.options.audio);
    known.samples += samples;
    known.complete = known.complete && std::holds_alternative<PcmAudio>(request_.clips[clip]);
    for (size_t i = 0; i < request_.lanes.size(); ++i) {
      const WindowCount count = CountWindows(request_.lanes[i], samples);
      known.lanes[i].frames += count.total_frames();
      known.lanes[i].windows += count.windows;
    }
  }
  return known;
}

std::optional<CallError> ClipsRun::ReserveRoom(const KnownSize& known) {
  MutexLock lock(&mu_);
  reply_bytes_ = request_.reply.fixed + clip_count_ * request_.reply.per_clip;
  if (!share_->Grow(request_.reply.held_per_byte * reply_bytes_)) return NoMemory();
  for (size_t i = 0; i < lanes_.size(); ++i) {
    const Reservation& lane = known.lanes[i];
    const int64_t rows = request_.lanes[i].kind == LaneKind::kTimestamps ? lane.windows : clip_count_;
    if (std::optional<CallError> error = TakeReplyRoom(i, rows, !known.complete)) return error;
    const int64_t credit = 2 * MostFramesOfSlice();
    const int64_t frames = known.complete ? std::min(lane.frames, credit) : credit;
    const int64_t bytes = PreparedBytes(request_.lanes[i], lanes_[i].row_size, frames, lane.frames / lane.windows);
    if (!share_->Grow(bytes)) return NoMemory();
  }
  return std::nullopt;
}

std::optional<CallError> ClipsRun::TakeReplyRoom(size_t lane, int64_t rows, bool at_least) {
  int64_t& reply_rows = lanes_[lane].reply_rows;
  if (rows <= reply_rows) return std::nullopt;
  const int64_t more = (rows - reply_rows) * request_.reply.per_row[lane];
  const int64_t bytes = reply_bytes_ + more;
  if (bytes > parts_.options.max_reply_bytes) return ReplyTooLarge(bytes, parts_.options.max_reply_bytes, at_least);
  if (!share_->Grow(request_.reply.held_per_byte * more)) return NoMemory();
  reply_rows = rows;
  reply_bytes_ = bytes;
  return std::nullopt;
}

}  // namespace hearwire
