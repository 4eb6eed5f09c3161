#include "client/stream.h"

#include <utility>

#include "client/stream_session.h"

namespace hearwire::client {
namespace {

template <typename Sample>
absl::Status WriteSamples(Stream& stream, bool right, absl::Span<const Sample> samples) {
  if (!right) return absl::InvalidArgumentError("the stream's encoding is another than the samples'");
  return stream.Write(std::string_view(reinterpret_cast<const char*>(samples.data()), samples.size() * sizeof(Sample)));
}

}  // namespace

Stream::Stream(std::unique_ptr<StreamSession> session, Audio::Encoding encoding, const std::stop_token& cancellation)
    : session_(std::move(session)), encoding_(encoding), on_stop_(cancellation, [this] { session_->Cancel(); }) {}

Stream::~Stream() = default;

absl::Status Stream::Write(std::string_view bytes) { return session_->Write(bytes); }

absl::Status Stream::Write(absl::Span<const float> samples) {
  return WriteSamples(*this, encoding_ == Audio::Encoding::kFloat32, samples);
}

absl::Status Stream::Write(absl::Span<const int16_t> samples) {
  return WriteSamples(*this, encoding_ == Audio::Encoding::kLinear16, samples);
}

void Stream::Finish() { session_->Finish(); }

absl::StatusOr<std::optional<StreamEvent>> Stream::Read() { return session_->Read(); }

void Stream::Cancel() { session_->Cancel(); }

}  // namespace hearwire::client
