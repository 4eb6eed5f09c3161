#include "server/rpc/stream_reactor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hearwire/v1/embedding.grpc.pb.h"
#include "server/audio/pcm_source.h"
#include "server/concurrency/border.h"
#include "server/pipeline/call_errors.h"
#include "server/rpc/bytes_ahead.h"
#include "server/rpc/deadline.h"
#include "server/rpc/read_message.h"

namespace hearwire {
namespace {

// Of messages that wait for the client, as they lie in memory: when they are so many, the pipeline makes no more; below
// half of them it does again. What it has prepared by then comes on top.
constexpr int64_t kFullBytes = 256 << 10;

CallError Idle(const char* what, absl::Duration timeout) {
  return {
      .status = absl::DeadlineExceededError(absl::StrCat(
          "the client has ", what, " for ", absl::FormatDuration(timeout), ", this server's --stream-idle-timeout")),
      .reason = reason::kStreamIdle};
}

CallError LastedTooLong(absl::Duration duration) {
  return {.status = absl::UnavailableError(absl::StrCat("the stream has lasted ", absl::FormatDuration(duration),
                                                        ", this server's --max-stream-duration: go on with another")),
          .reason = reason::kStreamTooLong};
}

CallError ConnectionTooOld() {
  return {.status = absl::UnavailableError(
              "the stream's connection has reached this server's --max-connection-age: go on with another"),
          .reason = reason::kStreamTooLong};
}

// What a message of a stream may have beside samples: a start names heads.
constexpr int64_t kMostBesideAPiece = 64 << 10;

RequestFault TooLarge(int64_t bytes, int64_t most) {
  return InvalidRequest("samples", absl::StrCat("a piece of ", bytes, " bytes is more than this server takes (", most,
                                                " bytes, its --max-piece-bytes): send smaller ones"));
}

}  // namespace

std::shared_ptr<StreamReactor> StreamReactor::Create(grpc::CallbackServerContext* context, CallSinks sinks,
                                                     const StreamParts& parts) {
  std::shared_ptr<StreamReactor> reactor(new StreamReactor(context, sinks, parts));
  MutexLock lock(&reactor->mu_);
  reactor->self_ = reactor;
  return reactor;
}

StreamReactor::StreamReactor(grpc::CallbackServerContext* context, CallSinks sinks, const StreamParts& parts)
    : context_(context), parts_(parts), door_(sinks.door), account_(context, "StreamEmbeddings", sinks) {
  account_.set_is_stream();
}

std::optional<RequestFault> StreamReactor::PassDoor() {
  MutexLock lock(&mu_);
  return account_.PassDoor();
}

std::optional<RequestFault> StreamReactor::TakeCall() {
  MutexLock lock(&mu_);
  return door_->TakeCall(account_.caller(), 0);
}

Caller StreamReactor::caller() {
  MutexLock lock(&mu_);
  return account_.caller();
}

void StreamReactor::Refuse(const RequestFault& fault) {
  MutexLock lock(&mu_);
  account_.CountRefusal(fault.error);
  End(&fault, CallReport{});
}

void StreamReactor::Begin(std::function<void()> on_done) {
  MutexLock lock(&mu_);
  on_done_ = std::move(on_done);
  if (parts_.limits.latest_end) latest_end_ = parts_.limits.latest_end(context_->peer());
  Read();
}

void StreamReactor::Tick(SteadyTime now) {
  const StreamLimits& limits = parts_.limits;
  std::optional<CallError> error;
  {
    MutexLock lock(&mu_);
    if (finished_) return;
    if (writing_ && now - writing_since_ > limits.idle_timeout) {
      // Nothing that is told to it would arrive.
      context_->TryCancel();
      return;
    }
    if (reading_ && waited_ + (now - reading_since_) > limits.idle_timeout) {
      error = Idle("sent no audio", limits.idle_timeout);
    }
    if (now - account_.start() > limits.max_duration) error = LastedTooLong(limits.max_duration);
    if (now >= latest_end_) error = ConnectionTooOld();
  }
  if (error) Stop(*error);
}

void StreamReactor::Stop(const CallError& error) {
  std::shared_ptr<StreamCall> stream;
  {
    MutexLock lock(&mu_);
    stream = stream_;
    if (stream == nullptr) {
      const RequestFault fault{error, ""};
      End(&fault, CallReport{});
    }
  }
  if (stream != nullptr) stream->Stop(error);
}

void StreamReactor::Cancel() {
  MutexLock lock(&mu_);
  // gRPC may be done with it, and the context gone.
  if (self_ != nullptr) context_->TryCancel();
}

// --- Reading.

void StreamReactor::Read() {
  if (end_ || finished_) return;
  reading_ = true;
  reading_since_ = SteadyTime::Now();
  StartRead(&read_bytes_);
}

void StreamReactor::OnReadDone(bool ok) {
  std::shared_ptr<StreamCall> stream;
  {
    MutexLock lock(&mu_);
    reading_ = false;
    if (finished_) return;
    stream = stream_;
    if (!ok && stream == nullptr) {
      const RequestFault fault =
          InvalidRequest("start", "the stream has no start: its first message says what is asked for");
      return End(&fault, CallReport{});
    }
  }
  if (!ok) return stream->EndAudio(std::nullopt);
  const absl::Status thrown = Contain([&] {
    const std::optional<RequestFault> unread = ReadStreamMessage();
    stream == nullptr ? TakeStart(unread) : TakePiece(unread);
  });
  if (!thrown.ok()) Stop(FromContained(thrown));
}

void StreamReactor::TakeStart(const std::optional<RequestFault>& unread) {
  StreamRequest request;
  {
    MutexLock lock(&mu_);
    std::variant<StreamPlan, RequestFault> read =
        InvalidRequest("start", "the first message of a stream is its start, and this one has none");
    if (unread) {
      read = *unread;
    } else if (request_.has_start()) {
      const v1::StreamStart& start = request_.start();
      account_.set_config(start.config().empty() ? parts_.default_config : std::string_view(start.config()));
      const std::shared_ptr<const Models> models = parts_.models->Get();
      read = ReadStreamStart(start, parts_.default_config, models->networks, models->heads);
    }
    if (const RequestFault* fault = std::get_if<RequestFault>(&read)) return End(fault, CallReport{});
    const std::variant<int64_t, RequestFault> ahead = ReadBytesAhead(*context_);
    if (const RequestFault* fault = std::get_if<RequestFault>(&ahead)) return End(fault, CallReport{});
    acknowledges_ = request_.start().acknowledge() && std::get<int64_t>(ahead) > 0;
    if (acknowledges_) context_->AddInitialMetadata(kBytesAheadKey, absl::StrCat(std::get<int64_t>(ahead)));
    plan_ = std::move(std::get<StreamPlan>(read));
    account_.set_config(plan_.served.config->name);
    writer_ = std::make_unique<StreamWriter>(plan_, parts_.precision);
    request.call.lanes = plan_.lanes.lanes();
    // A piece that is read, one that waits, one that is prepared; and messages.
    request.call.request_bytes = 3 * parts_.limits.max_piece_bytes + 2 * kFullBytes + writer_->MostBytesAhead();
    request.call.deadline = ReadDeadline(context_->raw_deadline());
    request.call.caller = account_.caller().name;
    request.call.caller_weight = account_.caller().weight;
    request.format = plan_.format;
    request.first_sample = plan_.first_sample;
    request.sink = shared_from_this();
  }
  // That may end it at once.
  const std::shared_ptr<StreamCall> stream = parts_.pipeline->StartStream(std::move(request));
  if (stream == nullptr) return;
  {
    MutexLock lock(&mu_);
    if (!end_) {
      stream_ = stream;
      auto started = std::make_unique<v1::StreamEmbeddingsResponse>();
      writer_->WriteStarted(started.get());
      Queue(std::move(started));
      Read();
      return;
    }
  }
  stream->Abandon();
}

void StreamReactor::TakePiece(std::optional<RequestFault> unread) {
  std::shared_ptr<StreamCall> stream;
  std::string piece;
  std::optional<RequestFault> misuse = unread ? std::move(unread) : FindMisuse();
  {
    MutexLock lock(&mu_);
    account_.TakeMessage(static_cast<int64_t>(request_.samples().size()));
    stream = stream_;
    if (misuse) {
      fault_field_ = misuse->field;
      request_.Clear();  // It may be as large as a message can be.
    } else {
      piece = std::move(*request_.mutable_samples());
      waited_ = piece.empty() ? waited_ + (SteadyTime::Now() - reading_since_) : absl::ZeroDuration();
      bytes_ += static_cast<int64_t>(piece.size());
      misuse = CountPiece(piece.size());
      if (!misuse) GoOn();
    }
  }
  if (!misuse) return stream->AppendPiece(std::move(piece));
  // What the client did wrong ends its audio there. Other errors pass: another stream may go on where this one is.
  if (absl::IsInvalidArgument(misuse->error.status)) return stream->EndAudio(std::move(misuse->error));
  stream->Stop(std::move(misuse->error));
}

std::optional<RequestFault> StreamReactor::CountPiece(size_t bytes) {
  const int frame_bytes = plan_.format.channel_count * PcmSource::BytesPerValue(plan_.format.encoding);
  const double seconds = static_cast<double>(bytes) / frame_bytes / plan_.format.sample_rate_hz;
  return door_->Take(account_.caller(), static_cast<int64_t>(bytes), absl::Seconds(seconds));
}

std::optional<RequestFault> StreamReactor::ReadStreamMessage() {
  const auto size = static_cast<int64_t>(read_bytes_.Length());
  if (size > parts_.limits.max_piece_bytes + kMostBesideAPiece) {
    read_bytes_.Clear();
    return TooLarge(size, parts_.limits.max_piece_bytes);
  }
  return ReadMessage(&read_bytes_, MostFields(0), &request_);
}

std::optional<RequestFault> StreamReactor::FindMisuse() const {
  if (request_.has_start())
    return InvalidRequest("start", "the stream has one already: all messages behind it are samples");
  if (!request_.has_samples()) return InvalidRequest("request", "the message is empty: set samples");
  const auto size = static_cast<int64_t>(request_.samples().size());
  if (size <= parts_.limits.max_piece_bytes) return std::nullopt;
  return TooLarge(size, parts_.limits.max_piece_bytes);
}

void StreamReactor::OnPieceTaken() {
  MutexLock lock(&mu_);
  Read();
}

void StreamReactor::OnCancel() {
  std::shared_ptr<StreamCall> stream;
  {
    MutexLock lock(&mu_);
    stream = stream_;
  }
  // Without a stream, a read is pending and fails.
  if (stream != nullptr) stream->Abandon();
}

// --- Writing.

std::optional<CallError> StreamReactor::OnRows(const WindowRows& rows) {
  StreamWriter* writer;
  {
    MutexLock lock(&mu_);
    writer = writer_.get();
  }
  // Heads may take a while; the writer is the pipeline's alone from the start on.
  StreamWriter::Messages messages;
  std::optional<RequestFault> fault = writer->WriteRows(rows, &messages);
  MutexLock lock(&mu_);
  for (Message& message : messages) Queue(std::move(message));
  if (!fault) return std::nullopt;
  fault_field_ = std::move(fault->field);
  return std::move(fault->error);
}

void StreamReactor::OnEnd(const CallError* error, const CallReport& report, std::unique_ptr<Admission::Share> held) {
  MutexLock lock(&mu_);
  if (!finished_) held_ = std::move(held);
  if (error == nullptr) return EndWell(report);
  RequestFault fault{*error, ""};
  if (error->reason == reason::kInvalidAudio) fault.field = StreamField(error->field);
  if (error->reason == reason::kInvalidRequest) fault.field = fault_field_;
  End(&fault, report);
}

void StreamReactor::EndWell(const CallReport& report) {
  const int64_t samples =
      plan_.first_sample + bytes_ / (plan_.format.channel_count * PcmSource::BytesPerValue(plan_.format.encoding));
  auto message = std::make_unique<v1::StreamEmbeddingsResponse>();
  const double audio_ms = static_cast<double>(samples) * 1000.0 / static_cast<double>(plan_.format.sample_rate_hz);
  if (std::optional<RequestFault> fault = writer_->WriteSummary(audio_ms, message.get())) return End(&*fault, report);
  if (end_) return;
  Queue(std::move(message));
  account_.set_request_bytes(bytes_);
  account_.set_reply_bytes(reply_bytes_);
  account_.Succeed(report);
  end_ = grpc::Status::OK;
  GoOn();
}

void StreamReactor::End(const RequestFault* fault, const CallReport& report) {
  if (end_) return;
  account_.set_request_bytes(bytes_);
  account_.set_reply_bytes(reply_bytes_);
  end_ = account_.Fail(*fault, report);
  GoOn();
}

void StreamReactor::Queue(Message message) {
  if (end_) return;
  queued_bytes_ += static_cast<int64_t>(message->SpaceUsedLong());
  reply_bytes_ += static_cast<int64_t>(message->ByteSizeLong());
  messages_.push_back(std::move(message));
  if (queued_bytes_ >= kFullBytes) is_full_.store(true);
  GoOn();
}

// What has been read is out of all buffers between, which is what the client waits for; its rows may come much later.
void StreamReactor::Acknowledge() {
  if (!acknowledges_ || end_ || acknowledged_ == bytes_) return;
  acknowledged_ = bytes_;
  auto message = std::make_unique<v1::StreamEmbeddingsResponse>();
  message->mutable_taken()->set_bytes(static_cast<uint64_t>(bytes_));
  queued_bytes_ += static_cast<int64_t>(message->SpaceUsedLong());
  reply_bytes_ += static_cast<int64_t>(message->ByteSizeLong());
  messages_.push_front(std::move(message));
}

void StreamReactor::GoOn() {
  if (writing_ || finished_) return;
  Acknowledge();
  if (!messages_.empty()) {
    writing_ = true;
    writing_since_ = SteadyTime::Now();
    written_bytes_.Clear();
    WriteMessage(*messages_.front(), &written_bytes_);
    StartWrite(&written_bytes_);
  } else if (end_) {
    finished_ = true;
    Finish(*end_);
  }
}

void StreamReactor::OnWriteDone(bool ok) {
  std::shared_ptr<StreamCall> stream;
  {
    MutexLock lock(&mu_);
    writing_ = false;
    queued_bytes_ -= static_cast<int64_t>(messages_.front()->SpaceUsedLong());
    messages_.pop_front();
    if (!ok) {
      // The client has gone.
      messages_.clear();
      queued_bytes_ = 0;
    }
    if (is_full_.load() && queued_bytes_ <= kFullBytes / 2) {
      is_full_.store(false);
      stream = stream_;
    }
    GoOn();
  }
  if (stream != nullptr) stream->OnSinkHasRoom();
}

void StreamReactor::OnDone() {
  std::shared_ptr<StreamReactor> self;
  std::function<void()> on_done;
  {
    MutexLock lock(&mu_);
    self = std::move(self_);
    on_done = std::move(on_done_);
    held_.reset();
    stream_.reset();
  }
  if (on_done) on_done();
}

}  // namespace hearwire
