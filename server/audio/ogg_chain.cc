#include "server/audio/ogg_chain.h"

#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/audio/opus_file.h"
#include "server/audio/sound_file.h"
#include "server/audio/vorbis_file.h"

namespace hearwire {
namespace {

absl::StatusOr<std::unique_ptr<SampleSource>> OpenLink(const OggLink& link, const AudioLimits& limits) {
  switch (link.codec) {
    case OggCodec::kVorbis:
      return VorbisFile::Open(link, limits);
    case OggCodec::kOpus:
      return OpusFile::Open(link, limits);
    case OggCodec::kFlac:
      return SoundFile::OpenOggFlac(link);
  }
  return absl::InternalError("an Ogg codec without a decoder");
}

class OggChain final : public SampleSource {
 public:
  OggChain(std::vector<OggLink> links, const AudioLimits& limits, std::unique_ptr<SampleSource> first)
      : links_(std::move(links)), limits_(limits), link_(std::move(first)) {
    sample_rate_hz_ = link_->sample_rate_hz();
    channel_count_ = link_->channel_count();
  }

  int64_t sample_rate_hz() const override { return sample_rate_hz_; }
  int64_t channel_count() const override { return channel_count_; }
  std::optional<int64_t> claimed_samples() const override { return std::nullopt; }

  absl::StatusOr<int64_t> Read(absl::Span<float> values) override {
    absl::StatusOr<int64_t> count = link_->Read(values);
    if (!count.ok() || *count > 0 || index_ + 1 == links_.size()) return count;
    if (absl::Status status = OpenNext(); !status.ok()) return status;
    count = link_->Read(values);
    // Otherwise a chain of nothing would be one long step.
    if (count.ok() && *count == 0) {
      return absl::InvalidArgumentError(absl::StrCat("stream ", index_ + 1, " of the Ogg file has no samples"));
    }
    return count;
  }

 private:
  absl::Status OpenNext() {
    absl::StatusOr<std::unique_ptr<SampleSource>> next = OpenLink(links_[++index_], limits_);
    if (!next.ok()) return next.status();
    link_ = *std::move(next);
    if (link_->sample_rate_hz() == sample_rate_hz_ && link_->channel_count() == channel_count_) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("the Ogg file's streams differ: the first has ", sample_rate_hz_,
                                                   " Hz and ", channel_count_, " channels, stream ", index_ + 1,
                                                   " has ", link_->sample_rate_hz(), " Hz and ", link_->channel_count(),
                                                   "; all must have the same"));
  }

  const std::vector<OggLink> links_;
  const AudioLimits limits_;
  std::unique_ptr<SampleSource> link_;
  size_t index_ = 0;  // Of that one.
  int64_t sample_rate_hz_ = 0;
  int64_t channel_count_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SampleSource>> OpenOgg(std::vector<OggLink> links, const AudioLimits& limits) {
  absl::StatusOr<std::unique_ptr<SampleSource>> first = OpenLink(links.front(), limits);
  if (!first.ok() || links.size() == 1) return first;
  return std::make_unique<OggChain>(std::move(links), limits, *std::move(first));
}

}  // namespace hearwire
