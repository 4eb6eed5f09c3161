#include "server/audio/ogg_audio.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace hearwire {
namespace {

// Each costs up to 0.2 ms, and a file may be made of them. The first packet of Vorbis makes nothing.
constexpr int kMaxVainPackets = 100;

}  // namespace

OggAudio::OggAudio(const OggLink& link, OggPackets packets, const OggSpan& span, const Format& format)
    : format_(format),
      is_cut_(link.is_cut),
      missing_samples_(link.missing_units),
      packets_(std::move(packets)),
      samples_to_skip_(span.surplus + format.pre_skip) {
  if (span.end > span.begin) {
    samples_in_all_ = std::max<int64_t>(0, span.end - span.begin - format.pre_skip);
    if (!is_cut_) claimed_samples_ = samples_in_all_;
  }
}

absl::StatusOr<int64_t> OggAudio::Read(absl::Span<float> values) {
  const int64_t channels = format_.channel_count;
  while (true) {
    const int64_t left = samples_in_all_ ? *samples_in_all_ - samples_read_ : INT64_MAX;
    const int64_t ready = static_cast<int64_t>(decoded_.size() - values_taken_) / channels;
    if (left > 0 && ready > 0) {
      const int64_t skipped = std::min(ready, samples_to_skip_);
      const int64_t count = std::min({ready - skipped, left, static_cast<int64_t>(values.size()) / channels});
      const auto* begin = decoded_.data() + values_taken_ + skipped * channels;
      std::copy_n(begin, count * channels, values.begin());
      samples_to_skip_ -= skipped;
      samples_read_ += count;
      values_taken_ += static_cast<size_t>((skipped + count) * channels);
      if (count > 0) return count;
      continue;
    }
    const absl::StatusOr<bool> is_decoded = left > 0 ? DecodeNext() : false;
    if (!is_decoded.ok()) return is_decoded.status();
    if (*is_decoded) continue;
    if (absl::Status status = CheckEnd(); !status.ok()) return status;
    return 0;
  }
}

absl::StatusOr<bool> OggAudio::DecodeNext() {
  const std::optional<OggPacket> packet = packets_.Next();
  if (!packet) return false;
  values_taken_ = 0;
  if (!Decode(packet->bytes, &decoded_)) {
    has_bad_packets_ = true;
    decoded_.clear();
  }
  if (decoded_.empty() && ++vain_packets_ > kMaxVainPackets) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the Ogg file is damaged: more than %d packets make no sound, the last of them after %.3f s",
                        kMaxVainPackets, Seconds(samples_read_)));
  }
  return true;
}

absl::Status OggAudio::CheckEnd() const {
  const double found = Seconds(samples_read_);
  if (samples_in_all_ && samples_read_ < *samples_in_all_) {
    return CutOffError(found, Seconds(*samples_in_all_ + missing_samples_));
  }
  if (is_cut_) return CutLinkError(found, Seconds(missing_samples_));
  if (!samples_in_all_ && (has_bad_packets_ || packets_.is_faulty())) {
    return absl::InvalidArgumentError(absl::StrFormat("the Ogg file is damaged within %.3f s of audio", found));
  }
  return absl::OkStatus();
}

}  // namespace hearwire
