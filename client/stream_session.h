// A stream over all its calls: what Stream promises.
//
// The audio that is written lies in KeptAudio until a call has taken it, with `resume` until it is answered. Whenever a
// call can take more, it gets the next piece, from whatever thread. Read is the one that looks at how a call ended, and
// opens the next one.

#ifndef HEARWIRE_CLIENT_STREAM_SESSION_H_
#define HEARWIRE_CLIENT_STREAM_SESSION_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/bytes_ahead.h"
#include "client/client.h"
#include "client/kept_audio.h"
#include "client/stream.h"
#include "client/stream_call.h"
#include "client/stream_progress.h"
#include "client/stubs.h"

namespace hearwire::client {

// What the server has said of the heads that are asked for.
struct StreamHeads {
  std::vector<std::string> timestamp_heads;
  std::map<std::string, std::vector<std::string>> labels;  // Of each of them.
};

// Thread-safe, but for one writer and one reader at a time.
class StreamSession final : public StreamCallOwner {
 public:
  // Opens the first call. Options must be checked. server: for messages.
  StreamSession(std::shared_ptr<Client::Stubs> stubs, std::string server, StreamOptions options, StreamHeads heads);
  // Cancels, and waits for gRPC to let go of the call. Not by a thread of gRPC's.
  ~StreamSession() override;

  // As Stream's.
  absl::Status Write(std::string_view bytes);
  void Finish();
  absl::StatusOr<std::optional<StreamEvent>> Read();
  void Cancel();

 private:
  using Clock = std::chrono::steady_clock;
  using Lock = std::unique_lock<std::mutex>;

  // All below need the lock.
  void OnWritten(StreamCall& call) override;
  void OnBound(StreamCall& call, int64_t max_bytes_ahead) override;
  void StartCall(int64_t first_sample);
  // Gives the call what it can take.
  void Pump();
  // Waits for a change; fails the stream where the server has kept it waiting for too long.
  void Wait(Lock& lock);
  bool ServerOwes() const;
  // Ends the stream, unless it has ended.
  void End(absl::Status outcome);

  bool MayKeepMore() const;
  int64_t OffsetOf(int64_t sample) const { return (sample - options_.first_sample) * frame_bytes_; }
  int64_t SampleAt(int64_t offset) const { return options_.first_sample + offset / frame_bytes_; }

  // The event that a message holds; absent where all of it has come before. Not ok: the stream fails.
  absl::StatusOr<std::optional<StreamEvent>> Accept(StreamEvent event);
  absl::Status AcceptTaken(const v1::StreamTaken& taken);
  absl::Status AcceptStarted(const StreamStarted& started, bool& is_new);
  absl::Status AcceptHeadRows(HeadRows& rows);
  void NameLabels(std::vector<HeadAnswer>& answers) const;
  absl::Status AcceptSummary(StreamSummary& summary);
  // The call has ended: ends the stream, or opens the next call.
  void OnCallEnded(Lock& lock, const absl::Status& status);
  bool MayResume(const absl::Status& status) const;
  // Where the next call begins. DATA_LOSS: it needs audio that is not kept.
  absl::StatusOr<int64_t> ResumeSample(const absl::Status& status) const;

  const std::shared_ptr<Client::Stubs> stubs_;
  const std::string server_;
  const StreamOptions options_;
  const int64_t frame_bytes_;  // Of one sample of all channels.
  const std::optional<Clock::time_point> deadline_;
  const StreamHeads heads_;

  std::unique_ptr<StreamCall> call_;
  KeptAudio audio_;             // Its first byte is the first one of options_.first_sample.
  int64_t sent_ = 0;            // Offset in audio_ up to which call_ has taken it.
  int64_t under_way_ = 0;       // Bytes after it that call_ is taking.
  BytesAhead ahead_;            // How far sent_ may be ahead of what the server has taken.
  bool writer_waits_ = false;   // For the server.
  bool finished_ = false;       // Nothing more will be written.
  Clock::time_point opened_;    // When call_ was.
  Clock::time_point progress_;  // When the server last did something, or began to owe something.

  StreamProgress answers_;
  std::optional<StreamStarted> started_;  // By the first call.
  bool call_started_ = false;             // By this one.
  bool summary_came_ = false;
  int resumes_ = 0;       // That were taken.
  int vain_resumes_ = 0;  // In a row, without a new answer.
  std::optional<absl::Status> outcome_;
};

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_STREAM_SESSION_H_
