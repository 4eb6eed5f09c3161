#include "server/rpc/lift_audio.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstdint>
#include <utility>

#include "hearwire/v1/embedding.pb.h"
#include "server/rpc/copy_fields.h"
#include "server/rpc/wire_type.h"

namespace hearwire {
namespace {

using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;

constexpr uint32_t kClips = BytesTag(v1::GetTagsRequest::kClipsFieldNumber);
static_assert(kClips == BytesTag(v1::GetSceneEmbeddingsRequest::kClipsFieldNumber));
static_assert(kClips == BytesTag(v1::GetTimestampEmbeddingsRequest::kClipsFieldNumber));
static_assert(kClips == BytesTag(v1::ClassifyRequest::kClipsFieldNumber));
constexpr uint32_t kPcm = BytesTag(v1::Audio::kPcmFieldNumber);
constexpr uint32_t kEncoded = BytesTag(v1::Audio::kEncodedFieldNumber);
constexpr uint32_t kSamples = BytesTag(v1::Pcm::kSamplesFieldNumber);

bool LiftPcm(CodedInputStream* input, CodedOutputStream* output, std::string* samples) {
  return TakeFields(input, [&](uint32_t tag) {
    if (tag != kSamples) return CopyField(tag, input, output);
    if (!ReadBytes(input, samples)) return false;
    WriteBytes(tag, {}, output);
    return true;
  });
}

bool LiftClip(CodedInputStream* input, CodedOutputStream* output, LiftedClip* clip) {
  return TakeFields(input, [&](uint32_t tag) {
    if (tag == kPcm) {
      clip->encoded.clear();
      return LiftMessage(tag, input, output,
                         [&](CodedOutputStream* pcm) { return LiftPcm(input, pcm, &clip->pcm_samples); });
    }
    if (tag != kEncoded) return CopyField(tag, input, output);
    clip->pcm_samples.clear();  // The other of the two: whatever was in it is gone.
    if (!ReadBytes(input, &clip->encoded)) return false;
    WriteBytes(tag, {}, output);
    return true;
  });
}

}  // namespace

std::optional<LiftedRequest> LiftAudio(google::protobuf::io::ZeroCopyInputStream* stream) {
  CodedInputStream input(stream);
  LiftedRequest lifted;
  StringOutputStream message(&lifted.message);
  CodedOutputStream output(&message);
  const bool whole = TakeFields(&input, [&](uint32_t tag) {
    if (tag != kClips) return CopyField(tag, &input, &output);
    LiftedClip* const clip = &lifted.clips.emplace_back();
    return LiftMessage(tag, &input, &output, [&](CodedOutputStream* audio) { return LiftClip(&input, audio, clip); });
  });
  if (!whole) return std::nullopt;
  output.Trim();
  return lifted;
}

}  // namespace hearwire
