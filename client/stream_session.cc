#include "client/stream_session.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <random>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "client/error_details.h"
#include "client/messages.h"

namespace hearwire::client {
namespace {

// What is kept at most with `resume`, in seconds: well over what any answer needs.
constexpr int64_t kMostKeptSeconds = 60;

// As in the service config of unary calls (client/channel.cc).
constexpr absl::Duration kFirstBackoff = absl::Milliseconds(100);
constexpr absl::Duration kLongestBackoff = absl::Seconds(5);
// A call that has lasted for longer was not in vain, even where there was nothing to answer.
constexpr std::chrono::seconds kLongCall(30);

// A fifth more or less, so that the clients of a server do not all come back at once.
absl::Duration Backoff(int attempt) {
  static thread_local std::minstd_rand random{std::random_device()()};
  const absl::Duration mean = std::min(kFirstBackoff * (1 << std::min(attempt, 10)), kLongestBackoff);
  return mean * std::uniform_real_distribution<double>(0.8, 1.2)(random);
}

std::chrono::steady_clock::time_point After(absl::Duration duration) {
  return std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(duration);
}

absl::Status AnswersBeforeItHasStarted() {
  return absl::InternalError("the stream contradicts itself: it answers before it has started");
}

absl::Status NoSummary() { return absl::InternalError("the server ended the stream without a summary"); }

}  // namespace

StreamSession::StreamSession(std::shared_ptr<Client::Stubs> stubs, std::string server, StreamOptions options,
                             StreamHeads heads)
    : stubs_(std::move(stubs)),
      server_(std::move(server)),
      options_(std::move(options)),
      frame_bytes_(int64_t{options_.channels} * (options_.encoding == Audio::Encoding::kLinear16 ? 2 : 4)),
      deadline_(options_.deadline ? std::optional(After(*options_.deadline)) : std::nullopt),
      heads_(std::move(heads)),
      // Scene heads are answered with the scene windows.
      answers_(options_.timestamps,
               options_.scenes || options_.tags_top_k > 0 || options_.heads.size() > heads_.timestamp_heads.size(),
               heads_.timestamp_heads, options_.first_sample, options_.sample_rate_hz) {
  const Lock lock(mu);
  StartCall(options_.first_sample);
}

StreamSession::~StreamSession() {
  Cancel();
  Lock lock(mu);
  changed.wait(lock, [this] { return call_->status().has_value(); });
}

void StreamSession::StartCall(int64_t first_sample) {
  v1::StreamStart start = EncodeStreamStart(options_);
  start.set_first_sample(static_cast<uint64_t>(first_sample));
  sent_ = OffsetOf(first_sample);
  ahead_.OnNewCall(sent_);
  under_way_ = 0;
  call_started_ = false;
  opened_ = progress_ = Clock::now();
  absl::Duration left = absl::InfiniteDuration();
  if (deadline_) left = std::max(absl::FromChrono(*deadline_ - Clock::now()), absl::ZeroDuration());
  call_ = StreamCall::Start(*stubs_->embedding, *this, server_, left, options_.metadata, start);
}

void StreamSession::Pump() {
  if (outcome_ || !call_->may_write()) return;
  const int64_t count = ahead_.MaySend(sent_, std::min(audio_.end() - sent_, options_.max_piece_bytes));
  if (count > 0) {
    under_way_ = count;
    call_->Write(audio_.Piece(sent_, count));
  } else if (finished_ && sent_ == audio_.end()) {
    call_->HalfClose();
  }
}

void StreamSession::OnWritten(StreamCall& call) {
  if (&call != call_.get()) return;
  sent_ += std::exchange(under_way_, 0);
  if (!options_.resume) audio_.DropBefore(sent_);
  progress_ = Clock::now();
  Pump();
}

void StreamSession::OnBound(StreamCall& call, int64_t max_bytes_ahead) {
  if (&call != call_.get()) return;
  ahead_.OnBound(max_bytes_ahead);
  Pump();
}

bool StreamSession::ServerOwes() const {
  // Nobody reads what it has answered, or how it ended.
  if (call_->has_message() || call_->status()) return false;
  return !call_started_ || finished_ || writer_waits_ || sent_ < audio_.end();
}

void StreamSession::Wait(Lock& lock) {
  if (!ServerOwes() || options_.idle_timeout == absl::InfiniteDuration()) return changed.wait(lock);
  const Clock::time_point late = progress_ + absl::ToChronoNanoseconds(options_.idle_timeout);
  if (changed.wait_until(lock, late) == std::cv_status::no_timeout || outcome_) return;
  // The server may have done something meanwhile, or the call may have ended.
  if (!ServerOwes() || Clock::now() < progress_ + absl::ToChronoNanoseconds(options_.idle_timeout)) {
    return;
  }
  End(absl::DeadlineExceededError(absl::StrCat("the server at ", server_, " has neither taken audio nor answered for ",
                                               absl::FormatDuration(options_.idle_timeout),
                                               " (the stream's idle timeout)")));
}

void StreamSession::End(absl::Status outcome) {
  if (outcome_) return;
  outcome_ = std::move(outcome);
  call_->Abandon();
  changed.notify_all();
}

bool StreamSession::MayKeepMore() const {
  return !options_.resume || audio_.size() < kMostKeptSeconds * options_.sample_rate_hz * frame_bytes_;
}

absl::Status StreamSession::Write(std::string_view bytes) {
  Lock lock(mu);
  if (finished_ && !outcome_) return absl::FailedPreconditionError("the stream is finished: nothing can be written");
  while (!outcome_ && !bytes.empty()) {
    if (!std::exchange(writer_waits_, true)) progress_ = Clock::now();
    while (!outcome_ && !MayKeepMore()) Wait(lock);
    if (outcome_) break;
    const auto count = std::min(bytes.size(), static_cast<size_t>(options_.max_piece_bytes));
    audio_.Append(bytes.substr(0, count));
    bytes.remove_prefix(count);
    const int64_t end = audio_.end();
    Pump();
    while (!outcome_ && sent_ < end) {
      // Where no other call may come, it need not be read how this one ended: all that it has answered was.
      if (!options_.resume && call_->status()) {
        End(call_->status()->ok() ? NoSummary() : *call_->status());
      } else {
        Wait(lock);
      }
    }
  }
  writer_waits_ = false;
  if (!outcome_) return absl::OkStatus();
  return outcome_->ok() ? absl::FailedPreconditionError("the stream has ended") : *outcome_;
}

void StreamSession::Finish() {
  const Lock lock(mu);
  if (std::exchange(finished_, true) || outcome_) return;
  progress_ = Clock::now();
  Pump();
  changed.notify_all();
}

void StreamSession::Cancel() {
  const Lock lock(mu);
  End(absl::CancelledError("the stream was cancelled"));
}

absl::StatusOr<std::optional<StreamEvent>> StreamSession::Read() {
  Lock lock(mu);
  while (true) {
    if (outcome_) {
      if (!outcome_->ok()) return *outcome_;
      return std::nullopt;
    }
    if (call_->has_message()) {
      const v1::StreamEmbeddingsResponse message = call_->Take();
      progress_ = Clock::now();
      if (message.has_taken()) {
        if (absl::Status wrong = AcceptTaken(message.taken()); !wrong.ok()) End(std::move(wrong));
        continue;
      }
      lock.unlock();
      absl::StatusOr<StreamEvent> decoded = DecodeStreamEvent(message);
      lock.lock();
      if (outcome_) continue;
      absl::StatusOr<std::optional<StreamEvent>> event = decoded.ok() ? Accept(*std::move(decoded)) : decoded.status();
      if (!event.ok()) {
        End(event.status());
        return event.status();
      }
      if (options_.resume) audio_.DropBefore(std::min(sent_, OffsetOf(answers_.NeededFromSample())));
      changed.notify_all();
      if (*event) return event;
    } else if (call_->status()) {
      OnCallEnded(lock, absl::Status(*call_->status()));
    } else {
      Wait(lock);
    }
  }
}

absl::Status StreamSession::AcceptTaken(const v1::StreamTaken& taken) {
  if (!call_started_) return AnswersBeforeItHasStarted();
  const int64_t most = sent_ + under_way_ - ahead_.begin();
  if (taken.bytes() > static_cast<uint64_t>(most)) {
    return absl::InternalError(
        absl::StrCat("the stream contradicts itself: of ", most, " bytes of audio it has taken ", taken.bytes()));
  }
  ahead_.OnTaken(static_cast<int64_t>(taken.bytes()));
  Pump();
  return absl::OkStatus();
}

absl::StatusOr<std::optional<StreamEvent>> StreamSession::Accept(StreamEvent event) {
  if (summary_came_) return absl::InternalError("the stream contradicts itself: it goes on after its summary");
  if (!call_started_ && !std::holds_alternative<StreamStarted>(event)) {
    return AnswersBeforeItHasStarted();
  }
  bool is_new = true;
  absl::Status wrong;
  if (auto* started = std::get_if<StreamStarted>(&event)) {
    wrong = AcceptStarted(*started, is_new);
  } else if (auto* rows = std::get_if<ClipTimestampEmbeddings>(&event)) {
    const absl::StatusOr<int64_t> seen = answers_.rows().CountSeen(rows->timestamps_ms);
    wrong = seen.status();
    if (seen.ok() && *seen > 0) {
      rows->timestamps_ms.erase(rows->timestamps_ms.begin(), rows->timestamps_ms.begin() + *seen);
      Matrix& matrix = rows->embeddings;
      matrix.values.erase(matrix.values.begin(), matrix.values.begin() + *seen * matrix.columns);
      matrix.rows -= *seen;
    }
    is_new = !rows->timestamps_ms.empty();
  } else if (auto* scene = std::get_if<SceneWindow>(&event)) {
    const absl::StatusOr<int64_t> seen = answers_.scene_windows().CountSeen(absl::MakeConstSpan(&scene->centre_ms, 1));
    wrong = seen.status();
    is_new = seen.ok() && *seen == 0;
    NameLabels(scene->heads);
  } else if (auto* head_rows = std::get_if<HeadRows>(&event)) {
    wrong = AcceptHeadRows(*head_rows);
    is_new = !head_rows->heads.empty();
  } else {
    wrong = AcceptSummary(std::get<StreamSummary>(event));
  }
  if (!wrong.ok()) return wrong;
  if (!is_new) return std::nullopt;
  if (!std::holds_alternative<StreamStarted>(event)) vain_resumes_ = 0;
  return event;
}

absl::Status StreamSession::AcceptStarted(const StreamStarted& started, bool& is_new) {
  if (call_started_) return absl::InternalError("the stream contradicts itself: it starts twice");
  call_started_ = true;
  is_new = !started_;
  if (!started_) {
    started_ = started;
    return absl::OkStatus();
  }
  ++resumes_;
  if (started.space == started_->space) return absl::OkStatus();
  const auto name = [](const EmbeddingSpace& space) {
    return absl::StrCat(space.config, " (weights ", space.weights_sha256.substr(0, 12), ", front end ", space.frontend,
                        ", ", space.precision, ")");
  };
  return absl::FailedPreconditionError(absl::StrCat("the stream would go on in another embedding space, ",
                                                    name(started.space), " after ", name(started_->space),
                                                    ": its rows cannot be compared with those before"));
}

absl::Status StreamSession::AcceptHeadRows(HeadRows& rows) {
  for (HeadAnswer& answer : rows.heads) {
    AnswerTimes* times = answers_.head(answer.head);
    if (times == nullptr) {
      return absl::InternalError(
          absl::StrCat("the stream contradicts itself: it has rows of head ", answer.head, ", not a timestamp head"));
    }
    std::vector<double> timestamps_ms;
    for (const LabelRow& row : answer.rows) timestamps_ms.push_back(row.timestamp_ms);
    const absl::StatusOr<int64_t> seen = times->CountSeen(timestamps_ms);
    if (!seen.ok()) return seen.status();
    answer.rows.erase(answer.rows.begin(), answer.rows.begin() + *seen);
  }
  std::erase_if(rows.heads, [](const HeadAnswer& answer) { return answer.rows.empty(); });
  NameLabels(rows.heads);
  return absl::OkStatus();
}

void StreamSession::NameLabels(std::vector<HeadAnswer>& answers) const {
  for (HeadAnswer& answer : answers) {
    const auto found = heads_.labels.find(answer.head);
    if (found == heads_.labels.end()) continue;
    const auto name = [&names = found->second](std::vector<Label>& labels) {
      for (Label& label : labels) {
        if (static_cast<size_t>(label.index) < names.size()) label.name = names[static_cast<size_t>(label.index)];
      }
    };
    name(answer.labels);
    for (LabelRow& row : answer.rows) name(row.labels);
  }
}

absl::Status StreamSession::AcceptSummary(StreamSummary& summary) {
  if (!finished_) return absl::InternalError("the stream contradicts itself: its summary comes before the audio's end");
  const auto check = [](const char* what, int64_t said, int64_t came) {
    if (said == came) return absl::OkStatus();
    return absl::InternalError(absl::StrCat("the stream contradicts itself: its summary counts ", said, " ", what,
                                            ", of which ", came, " came"));
  };
  absl::Status wrong;
  if (options_.timestamps) wrong = check("rows", summary.timestamp_rows, answers_.rows().count_of_call());
  if (wrong.ok() && answers_.has_scene_windows()) {
    wrong = check("scene windows", summary.scene_windows, answers_.scene_windows().count_of_call());
  }
  if (!wrong.ok()) return wrong;
  summary.timestamp_rows = answers_.rows().count();
  summary.scene_windows = answers_.scene_windows().count();
  summary.resumes = resumes_;
  NameLabels(summary.heads);
  summary_came_ = true;
  return absl::OkStatus();
}

bool StreamSession::MayResume(const absl::Status& status) const {
  if (!options_.resume || !started_ || summary_came_) return false;
  if (absl::IsUnavailable(status)) return true;
  // Nothing was written for longer than the server bears: more may come yet.
  if (absl::IsDeadlineExceeded(status) && ErrorReason(status) == "STREAM_IDLE") return true;
  // Proxies may put this in the place of the server's code, HAProxy 2.6 where it ended the stream before its client
  // did. What the server gave for a reason may come through all the same, or be lost too. What this client cancels has
  // ended already.
  if (absl::IsCancelled(status)) {
    const std::string reason = ErrorReason(status);
    return reason.empty() || reason == "SHUTTING_DOWN" || reason == "STREAM_IDLE";
  }
  // The next server may be busy: it says so, and when it may not be.
  return absl::IsResourceExhausted(status) && !call_started_ && RetryDelay(status).has_value();
}

absl::StatusOr<int64_t> StreamSession::ResumeSample(const absl::Status& status) const {
  int64_t sample = answers_.NeededFromSample();
  // A server that says where knows better; but only one that had started says it of this stream, and where a proxy
  // ended the call, rows before that may be lost.
  if (call_started_ && !absl::IsCancelled(status)) {
    const std::map<std::string, std::string> facts = ErrorMetadata(status);
    if (const auto fact = facts.find("resume_sample"); fact != facts.end()) {
      const char* end = fact->second.data() + fact->second.size();
      if (std::from_chars(fact->second.data(), end, sample).ptr != end) {
        return absl::InternalError(absl::StrCat("the server's resume_sample ", fact->second, " is no number"));
      }
    }
  }
  // Of the first and the last sample that is kept, a part may be missing.
  const int64_t first = SampleAt(audio_.begin() + frame_bytes_ - 1);
  const int64_t last = SampleAt(audio_.end());
  if (sample >= first && sample <= last) return sample;
  return absl::DataLossError(
      absl::StrCat("the stream cannot go on at sample ", sample, ": those from ", first, " to ", last, " are kept"));
}

void StreamSession::OnCallEnded(Lock& lock, const absl::Status& status) {
  if (status.ok()) {
    return End(summary_came_ ? absl::OkStatus() : NoSummary());
  }
  if (!MayResume(status)) return End(status);
  if (call_started_ && Clock::now() - opened_ > kLongCall) vain_resumes_ = 0;
  if (vain_resumes_ >= options_.max_resumes) return End(status);
  const absl::StatusOr<int64_t> sample = ResumeSample(status);
  if (!sample.ok()) return End(sample.status());

  const absl::Duration asked = RetryDelay(status).value_or(absl::ZeroDuration());
  Clock::time_point next = After(std::max(asked, Backoff(vain_resumes_++)));
  if (deadline_) next = std::min(next, *deadline_);
  changed.wait_until(lock, next, [this] { return outcome_.has_value(); });
  if (outcome_) return;
  answers_.OnNewCall();
  StartCall(*sample);
}

}  // namespace hearwire::client
