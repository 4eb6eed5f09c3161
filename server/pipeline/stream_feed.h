// The audio of a stream on its way from bytes to the windows of all lanes, step by step.

#ifndef HEARWIRE_SERVER_PIPELINE_STREAM_FEED_H_
#define HEARWIRE_SERVER_PIPELINE_STREAM_FEED_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "server/audio/pcm_stream.h"
#include "server/pipeline/call.h"
#include "server/pipeline/window_cutter.h"

namespace hearwire {

// The rows of its windows are those of the whole recording, bit for bit on the native backend, however it is cut. What
// it holds does not grow with the stream. One thread at a time.
class StreamFeed {
 public:
  // The errors are PcmStream::Create's.
  static std::variant<std::unique_ptr<StreamFeed>, CallError> Create(const StreamRequest& request,
                                                                     const AudioLimits& limits);

  // Whether Step has nothing to do before Append or Finish.
  bool is_waiting() const { return bytes_left().empty() && !is_last_ && !fault_ && cutter_.is_waiting(); }
  // The next bytes. Only when it is waiting.
  void Append(std::string bytes);
  // There are none any more. Only when it is waiting.
  void Finish() { is_last_ = true; }
  // There are none any more because of an error of the client's, which Step is to give. Only when it is waiting.
  void Fail(CallError error) { fault_ = std::move(error); }

  enum class Progress { kMore, kWaiting, kEnd };

  // Goes on by a few milliseconds of work at most, and appends the windows that are complete to those of their lane.
  // The errors are the audio's, or Fail's: given once all windows have been that the samples before the fault tell.
  // Nothing may follow.
  std::variant<Progress, CallError> Step(LaneWindows* windows);

  // Taken so far, at kSampleRateHz.
  int64_t samples() const { return samples_; }
  // Of what was appended, about, and not taken yet.
  int64_t samples_left() const;
  // The first_sample of a stream that gives the windows that Step has not given yet, at the input's rate.
  int64_t resume_sample() const;

 private:
  StreamFeed(const StreamRequest& request, std::unique_ptr<PcmStream> pcm);

  std::string_view bytes_left() const { return std::string_view(bytes_).substr(bytes_taken_); }
  // The errors that windows cannot come before; others are fault_.
  std::optional<CallError> Decode();

  const int64_t sample_rate_hz_;  // The input's.
  const std::unique_ptr<PcmStream> pcm_;
  WindowCutter cutter_;
  std::string bytes_;
  size_t bytes_taken_ = 0;
  bool is_last_ = false;            // No bytes come behind bytes_.
  bool has_ended_ = false;          // All has been given to the cutter.
  std::optional<CallError> fault_;  // Behind what has been given to it.
  std::vector<float> piece_;
  int64_t samples_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_STREAM_FEED_H_
