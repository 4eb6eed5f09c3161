#include "server/pipeline/call_errors.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/batching/refusal.h"

namespace hearwire {
namespace {

// A queue that empties at once is no reason to come back at once.
constexpr absl::Duration kLeastRetryDelay = absl::Milliseconds(50);

// Until other calls may have given memory back.
constexpr absl::Duration kRetryWithoutMemory = absl::Seconds(1);

}  // namespace

CallError BadClip(const CallRequest& request, int clip, std::string_view message) {
  const bool is_stream = request.clips.empty();
  const bool pcm = is_stream || std::holds_alternative<PcmAudio>(request.clips[clip]);
  return {.status = absl::InvalidArgumentError(absl::string_view(message.data(), message.size())),
          .reason = reason::kInvalidAudio,
          .clip = is_stream ? std::nullopt : std::optional(clip),
          .field = pcm ? AudioField::kSamples : AudioField::kEncoded};
}

CallError ReplyTooLarge(int64_t bytes, int64_t limit, bool at_least) {
  return {.status = absl::ResourceExhaustedError(absl::StrCat(
              "the reply would be ", at_least ? "at least " : "", bytes, " bytes, more than this server sends (", limit,
              " bytes, its --max-reply-bytes): send fewer or shorter clips in a call, ask for float16 or fewer "
              "tags, use a config with smaller embeddings, or stream the audio (StreamEmbeddings)")),
          .reason = reason::kReplyTooLarge,
          .never_retry = true,
          .facts = {{"reply_bytes", absl::StrCat(bytes)}, {"max_reply_bytes", absl::StrCat(limit)}}};
}

CallError NotAdmitted(Admission::Refusal refusal, int max_calls, int64_t max_bytes, const Batcher& batcher) {
  const bool calls = refusal == Admission::Refusal::kTooManyCalls;
  const std::string message =
      calls ? absl::StrCat("the server has ", max_calls, " calls in hand, which is its limit: try again later")
            : absl::StrCat("the calls that the server has in hand take up the memory that they may (", max_bytes,
                           " bytes): try again later, or send less audio in a call");
  return {.status = absl::ResourceExhaustedError(message),
          .reason = calls ? reason::kTooManyCalls : reason::kMemoryFull,
          .retry_after = std::max(batcher.RetryDelay(), kLeastRetryDelay)};
}

CallError OutOfMemory() {
  return {.status = absl::ResourceExhaustedError(
              "the server has too little memory left for this call: try again later, or send less audio in a call"),
          .reason = reason::kMemoryFull,
          .retry_after = kRetryWithoutMemory};
}

CallError FromContained(const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) return OutOfMemory();
  return {.status = status, .reason = reason::kInternal};
}

CallError CallerGone() { return {.status = absl::CancelledError("the caller has gone"), .reason = reason::kCancelled}; }

CallError DeadlinePassed() {
  return {.status = absl::DeadlineExceededError("the call's deadline passed before it was done"),
          .reason = reason::kDeadline};
}

CallError ShuttingDown() {
  return {.status = absl::UnavailableError("the server is shutting down"), .reason = reason::kShuttingDown};
}

CallError FromBatcher(const absl::Status& status, const Batcher& batcher) {
  const std::optional<Refusal> refusal = RefusalOf(status);
  switch (status.code()) {
    case absl::StatusCode::kCancelled:
      return {.status = status, .reason = reason::kCancelled};
    case absl::StatusCode::kDeadlineExceeded:
      return {.status = status, .reason = reason::kDeadline};
    case absl::StatusCode::kUnavailable:
      return {.status = status,
              .reason = refusal == Refusal::kDeviceLost ? reason::kDeviceLost : reason::kShuttingDown};
    case absl::StatusCode::kResourceExhausted:
      if (refusal == Refusal::kQueueFull) {
        const std::optional<absl::Duration> wait = WaitOf(status);
        return {.status = status,
                .reason = reason::kQueueFull,
                .retry_after = std::max(wait ? *wait : batcher.RetryDelay(), kLeastRetryDelay)};
      }
      if (refusal == Refusal::kDeadlineTooShort) {
        const std::optional<absl::Duration> needed = WaitOf(status);
        return {.status = status,
                .reason = reason::kDeadlineTooShort,
                .never_retry = true,
                .facts = {{"needed_ms", absl::StrCat(absl::ToInt64Milliseconds(absl::Ceil(
                                            needed.value_or(absl::ZeroDuration()), absl::Milliseconds(1))))}}};
      }
      // The device had no room for one of its windows alone, and will not have any the next time: only shorter clips
      // help.
      return {.status = status, .reason = reason::kDeviceMemory, .never_retry = true};
    default:
      return {.status = status, .reason = reason::kInternal};
  }
}

}  // namespace hearwire
