// Where a call's answer goes: its rows as they become known, then its end.

#ifndef HEARWIRE_SERVER_PIPELINE_REPLY_SINK_H_
#define HEARWIRE_SERVER_PIPELINE_REPLY_SINK_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/types/span.h"
#include "server/pipeline/admission.h"
#include "server/pipeline/call_error.h"

namespace hearwire {

// The next rows that a lane has made of a clip: of its windows, in order. Lanes and clips come in any order.
struct WindowRows {
  int lane = 0;
  int clip = 0;
  // Number of the first window among all those of the clip, if there is one here.
  int64_t first_window = 0;
  absl::Span<const float> rows;  // [windows, row_size], finite. None only with the last.
  bool last = false;             // The clip has ended, and the lane has no more of it. Not where a stream is stopped.
};

// One for each call. The pipeline calls it from threads of its own, one at a time, never after OnEnd. It must not
// block.
class ReplySink {
 public:
  virtual ~ReplySink() = default;

  // An error fails the call: OnEnd brings it back.
  virtual std::optional<CallError> OnRows(const WindowRows& rows) = 0;

  // Exactly once. error: null when every row of every clip has come. Of a stream that failed on its way, the rows that
  // were known before have come. held: the call's place among those in flight, and
  // the bytes of its reply; the sink keeps it until the reply has left. Null when the call was not let in. The sink may
  // be destroyed within.
  virtual void OnEnd(const CallError* error, const CallReport& report, std::unique_ptr<Admission::Share> held) = 0;
};

// Likewise for a stream, which holds it to its end. The methods here may be called after OnEnd too.
class StreamSink : public ReplySink {
 public:
  // The stream has taken the last piece that it was given: it can be given the next one.
  virtual void OnPieceTaken() = 0;

  // Whether so many rows wait to be read by the client that no more are to be computed. Thread-safe; called with locks
  // held, so it does nothing but look. When it has become false, the stream is to be told (StreamCall::OnSinkHasRoom).
  virtual bool IsFull() const = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_PIPELINE_REPLY_SINK_H_
