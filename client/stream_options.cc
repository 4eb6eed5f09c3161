#include "client/stream_options.h"

#include "absl/strings/str_cat.h"
#include "client/call_metadata.h"

namespace hearwire::client {
namespace {

// Of a message, beside its samples.
constexpr int64_t kFramingBytes = 16;

absl::Status OutOfRange(const char* name, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " is ", value, ": ", least, " to ", most, " would be right"));
}

}  // namespace

absl::Status CheckStreamOptions(const StreamOptions& options, int64_t max_message_bytes) {
  if (options.encoding == Audio::Encoding::kFile) {
    return absl::InvalidArgumentError("a stream's encoding is that of samples: kLinear16 or kFloat32 would be right");
  }
  if (!options.timestamps && !options.scenes && options.tags_top_k == 0 && options.heads.empty()) {
    return absl::InvalidArgumentError("a stream asks for nothing: timestamps, scenes, tags_top_k or heads would do");
  }
  if (!(options.idle_timeout > absl::ZeroDuration())) {
    return absl::InvalidArgumentError(
        absl::StrCat("an idle_timeout of ", absl::FormatDuration(options.idle_timeout), ": it must be positive"));
  }
  if (options.deadline && !(*options.deadline > absl::ZeroDuration() && *options.deadline < absl::InfiniteDuration())) {
    return absl::InvalidArgumentError(
        absl::StrCat("a deadline of ", absl::FormatDuration(*options.deadline), ": it must be positive and finite"));
  }
  absl::Status wrong = CheckMetadata(options.metadata);
  wrong.Update(OutOfRange("sample_rate_hz", options.sample_rate_hz, 1000, 384'000));
  wrong.Update(OutOfRange("channels", options.channels, 1, 32));
  wrong.Update(OutOfRange("tags_top_k", options.tags_top_k, 0, 1'000'000));
  wrong.Update(OutOfRange("heads_top_k", options.heads_top_k, 0, 1'000'000));
  wrong.Update(OutOfRange("first_sample", options.first_sample, 0, int64_t{1} << 50));
  wrong.Update(OutOfRange("max_resumes", options.max_resumes, 0, 1'000'000));
  wrong.Update(OutOfRange("max_piece_bytes", options.max_piece_bytes, 1, max_message_bytes - kFramingBytes));
  return wrong;
}

}  // namespace hearwire::client
