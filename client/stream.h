// Audio without end: pieces go in, and rows come out while more is sent.
//
//   auto stream = client->OpenStream({.sample_rate_hz = 48000, .timestamps = true});
//   std::jthread writer([&] {
//     while (auto samples = Record()) {
//       if (!(*stream)->Write(*samples).ok()) return;  // Read says why.
//     }
//     (*stream)->Finish();
//   });
//   while (true) {
//     auto event = (*stream)->Read();
//     if (!event.ok()) return event.status();
//     if (!*event) break;  // All is answered.
//     if (auto* rows = std::get_if<ClipTimestampEmbeddings>(&**event)) Use(rows->embeddings);
//   }
//
// A server that is behind stops reading, and so does one whose rows nobody reads: Write then waits. Hence one thread
// writes and another reads, unless all the audio and all its rows fit what gRPC holds (some MiB). Behind a proxy that
// bounds what may be on its way (docs/operations.md, "Behind HAProxy"), that is 16 KiB of audio.

#ifndef HEARWIRE_CLIENT_STREAM_H_
#define HEARWIRE_CLIENT_STREAM_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "audio.h"    // Beside this file, in the source tree and installed.
#include "export.h"   // Likewise.
#include "replies.h"  // Likewise.

namespace hearwire::client {

struct StreamOptions {
  std::string config = {};  // Empty: that of the heads where heads are named, else the server's default.

  // What Write takes. kFile is not among it.
  Audio::Encoding encoding = Audio::Encoding::kFloat32;
  int sample_rate_hz = 0;  // 1000 to 384000.
  int channels = 1;        // 1 to 32, interleaved.

  // What is answered; one of them at least.
  bool timestamps = false;              // A row every 50 ms.
  bool scenes = false;                  // An embedding of each scene window, and the whole recording's at the end.
  int tags_top_k = 0;                   // So many tags of each scene window and of the whole recording; 0: none.
  std::vector<std::string> heads = {};  // Their answers.

  int heads_top_k = 0;                               // Labels that an answer carries; 0: all.
  ElementType element_type = ElementType::kFloat32;  // What rows travel as.

  // Index in the recording of the first sample that is written, for one that is continued: times count from the
  // recording's start. Unless it is 0, rows whose window begins before it do not come, and the summary has no scene, no
  // tags and no heads.
  int64_t first_sample = 0;

  // A server that ends the stream with UNAVAILABLE (it drains, or has died), or because nothing was written for long
  // (STREAM_IDLE), or a proxy that ends it with CANCELLED in the server's place, does not end it for the caller: the
  // client opens another and sends again what is not answered yet. No row is missing or comes twice. It keeps the audio
  // that it may have to send again: 2 s, with scenes, tags or scene heads 12 s, and what the server has not answered,
  // 60 s in all at most. Then Write waits for the server.
  bool resume = false;
  // How often in a row it does so in vain, with pauses from 0.1 s to 5 s between, or as long as the server asks. 10
  // times take about half a minute.
  int max_resumes = 10;

  // The longest time in which the server neither takes audio that waits nor, after Finish, answers. DEADLINE_EXCEEDED
  // then. May be infinite.
  absl::Duration idle_timeout = absl::Seconds(30);
  std::optional<absl::Duration> deadline = {};                     // Of the whole stream. Absent: none.
  std::stop_token cancellation = {};                               // A stop request cancels the stream.
  std::vector<std::pair<std::string, std::string>> metadata = {};  // As CallOptions::metadata.
  // Of one message to the server, which has a limit of the same name. Larger pieces are split.
  int64_t max_piece_bytes = int64_t{1} << 20;
};

// The first event: the server has understood what is asked for.
struct StreamStarted {
  EmbeddingSpace space;
  int64_t scene_embedding_size = 0;
  int64_t timestamp_embedding_size = 0;
};

// 10 s around 0, 2.5, 5 s … of a recording that is longer than 10 s. A shorter one has none.
struct SceneWindow {
  double centre_ms = 0;
  Matrix embedding;  // [1, scene_embedding_size]; empty unless scenes were asked for.
  std::vector<Tag> tags;
  std::vector<HeadAnswer> heads;  // Of scene heads.
};

// The next answers of timestamp heads.
struct HeadRows {
  std::vector<HeadAnswer> heads;
};

// The last event.
struct StreamSummary {
  double audio_ms = 0;         // The recording's length, with what lies before first_sample.
  int64_t timestamp_rows = 0;  // That came as events.
  int64_t scene_windows = 0;   // Likewise.
  int resumes = 0;             // How often the stream went on at another server, or at the same one anew.
  // Of the whole recording, as the unary calls answer. Empty unless asked for, and where the server that ended the
  // stream has not heard all of it.
  Matrix scene;  // [1, scene_embedding_size]
  std::vector<Tag> tags;
  std::vector<HeadAnswer> heads;  // Of scene heads.
};

// ClipTimestampEmbeddings are the next rows: one or more, as soon as they are known.
using StreamEvent = std::variant<StreamStarted, ClipTimestampEmbeddings, SceneWindow, HeadRows, StreamSummary>;

class StreamSession;

// Made by Client::OpenStream; may outlive the client. One thread may write while another reads; all may cancel.
class HEARWIRE_CLIENT_EXPORT Stream {
 public:
  // Cancels what has not ended, and waits a moment for that.
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Sends a piece of any size; returns when the connection has taken all of it. The pieces of a stream may be cut
  // anywhere, within a sample too. A failure ends the stream: all calls then return the same status, which has the
  // server's code and details (error_details.h). FAILED_PRECONDITION: after Finish; that alone ends nothing.
  absl::Status Write(std::string_view bytes);
  // INVALID_ARGUMENT where StreamOptions::encoding is another.
  absl::Status Write(absl::Span<const float> samples);
  absl::Status Write(absl::Span<const int16_t> samples);

  // There is no more audio. Returns at once; Read gives the last rows and the summary.
  void Finish();

  // Waits for the next event. Absent: the summary was the last one, and the server has said that all went well.
  // Statuses of its own: DEADLINE_EXCEEDED (idle_timeout), CANCELLED, INTERNAL where what the server says contradicts
  // itself, FAILED_PRECONDITION where a resumed stream would go on in another embedding space.
  absl::StatusOr<std::optional<StreamEvent>> Read();

  // Ends the stream with CANCELLED, unless it has ended.
  void Cancel();

 private:
  friend class Client;
  Stream(std::unique_ptr<StreamSession> session, Audio::Encoding encoding, const std::stop_token& cancellation);

  const std::unique_ptr<StreamSession> session_;
  const Audio::Encoding encoding_;
  const std::stop_callback<std::function<void()>> on_stop_;
};

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_STREAM_H_
