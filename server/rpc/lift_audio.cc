#include "server/rpc/lift_audio.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstdint>
#include <utility>

#include "hearwire/v1/embedding.pb.h"
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

// Its room is set aside at once: the stream knows by then where the field's message ends.
bool ReadBytes(CodedInputStream* input, std::string* bytes) {
  uint32_t size;
  return input->ReadVarint32(&size) && size <= INT32_MAX && input->ReadString(bytes, static_cast<int>(size));
}

void WriteBytes(uint32_t tag, const std::string& bytes, CodedOutputStream* output) {
  output->WriteTag(tag);
  output->WriteVarint32(static_cast<uint32_t>(bytes.size()));
  output->WriteString(bytes);
}

// Copies a field that is none of ours, whatever it is.
bool CopyField(uint32_t tag, CodedInputStream* input, CodedOutputStream* output) {
  if (tag >> kWireTypeBits == 0) return false;
  switch (WireTypeOf(tag)) {
    case WireType::kVarint: {
      uint64_t value;
      if (!input->ReadVarint64(&value)) return false;
      output->WriteTag(tag);
      output->WriteVarint64(value);
      return true;
    }
    case WireType::kFixed64: {
      uint64_t value;
      if (!input->ReadLittleEndian64(&value)) return false;
      output->WriteTag(tag);
      output->WriteLittleEndian64(value);
      return true;
    }
    case WireType::kFixed32: {
      uint32_t value;
      if (!input->ReadLittleEndian32(&value)) return false;
      output->WriteTag(tag);
      output->WriteLittleEndian32(value);
      return true;
    }
    case WireType::kBytes: {
      std::string bytes;
      if (!ReadBytes(input, &bytes)) return false;
      WriteBytes(tag, bytes, output);
      return true;
    }
    case WireType::kGroup: {
      const uint32_t end = EndOfGroup(tag);
      output->WriteTag(tag);
      if (!input->IncrementRecursionDepth()) return false;
      for (uint32_t inner = input->ReadTag(); inner != end; inner = input->ReadTag()) {
        if (!CopyField(inner, input, output)) return false;
      }
      input->DecrementRecursionDepth();
      output->WriteTag(end);
      return true;
    }
    default:
      return false;
  }
}

// Copies all fields up to the end of the message that `input` is in, each by `take`, which is told its tag.
template <typename Take>
bool CopyFields(CodedInputStream* input, Take take) {
  while (const uint32_t tag = input->ReadTag()) {
    if (!take(tag)) return false;
  }
  return input->ConsumedEntireMessage();
}

// A message within another: `lift` reads it into what is written in its place.
template <typename Lift>
bool LiftMessage(uint32_t tag, CodedInputStream* input, CodedOutputStream* output, Lift lift) {
  uint32_t size;
  if (!input->ReadVarint32(&size) || size > INT32_MAX) return false;
  const CodedInputStream::Limit limit = input->PushLimit(static_cast<int>(size));
  // A limit beyond that of the message around it would not hold: what is claimed is not there.
  if (input->BytesUntilLimit() != static_cast<int>(size)) return false;
  std::string message;
  {
    StringOutputStream stream(&message);
    CodedOutputStream lifted(&stream);
    if (!lift(&lifted)) return false;
  }
  if (input->BytesUntilLimit() != 0) return false;  // The stream ended before.
  input->PopLimit(limit);
  WriteBytes(tag, message, output);
  return true;
}

bool LiftPcm(CodedInputStream* input, CodedOutputStream* output, std::string* samples) {
  return CopyFields(input, [&](uint32_t tag) {
    if (tag != kSamples) return CopyField(tag, input, output);
    if (!ReadBytes(input, samples)) return false;
    WriteBytes(tag, {}, output);
    return true;
  });
}

bool LiftClip(CodedInputStream* input, CodedOutputStream* output, LiftedClip* clip) {
  return CopyFields(input, [&](uint32_t tag) {
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
  const bool whole = CopyFields(&input, [&](uint32_t tag) {
    if (tag != kClips) return CopyField(tag, &input, &output);
    LiftedClip* const clip = &lifted.clips.emplace_back();
    return LiftMessage(tag, &input, &output, [&](CodedOutputStream* audio) { return LiftClip(&input, audio, clip); });
  });
  if (!whole) return std::nullopt;
  output.Trim();
  return lifted;
}

}  // namespace hearwire
