// One stream of an Ogg file whose packets are decoded one by one.

#ifndef HEARWIRE_SERVER_AUDIO_OGG_AUDIO_H_
#define HEARWIRE_SERVER_AUDIO_OGG_AUDIO_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "server/audio/ogg_file.h"
#include "server/audio/ogg_packets.h"
#include "server/audio/sample_source.h"

namespace hearwire {

// Leaves out what the positions of the stream's pages say is no part of it, at both ends, and sees whether as many
// samples came out as they promise. What a codec adds is how a packet is decoded.
class OggAudio : public SampleSource {
 public:
  int64_t sample_rate_hz() const override { return format_.sample_rate_hz; }
  int64_t channel_count() const override { return format_.channel_count; }
  std::optional<int64_t> claimed_samples() const override { return claimed_samples_; }
  absl::StatusOr<int64_t> Read(absl::Span<float> values) override;

 protected:
  struct Format {
    int64_t sample_rate_hz = 0;
    int64_t channel_count = 0;
    int64_t pre_skip = 0;  // Samples at the front that are never heard, beside those that positions leave out.
  };

  // packets: at the first packet of audio. span: in samples.
  OggAudio(const OggLink& link, OggPackets packets, const OggSpan& span, const Format& format);

  // Replaces *values by what the packet makes, interleaved: maybe nothing. False: it is damaged.
  virtual bool Decode(std::string_view packet, std::vector<float>* values) = 0;

 private:
  // Fills decoded_; false: there are no packets left.
  absl::StatusOr<bool> DecodeNext();
  absl::Status CheckEnd() const;
  double Seconds(int64_t samples) const {
    return static_cast<double>(samples) / static_cast<double>(format_.sample_rate_hz);
  }

  const Format format_;
  const bool is_cut_;
  const int64_t missing_samples_;
  std::optional<int64_t> samples_in_all_;
  std::optional<int64_t> claimed_samples_;  // The same, unless the file is cut.
  OggPackets packets_;
  int64_t samples_to_skip_ = 0;
  std::vector<float> decoded_;
  size_t values_taken_ = 0;  // Of decoded_.
  int64_t samples_read_ = 0;
  int vain_packets_ = 0;  // That made no samples.
  bool has_bad_packets_ = false;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_OGG_AUDIO_H_
