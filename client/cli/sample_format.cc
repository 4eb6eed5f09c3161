#include "client/cli/sample_format.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <utility>

namespace hearwire::cli {
namespace {

using Encoding = SampleFormat::Encoding;

struct EncodingInfo {
  std::string_view name;
  Encoding encoding;
  int bytes;
};
constexpr std::array<EncodingInfo, 6> kEncodings = {{{"u8", Encoding::kU8, 1},
                                                     {"s16", Encoding::kS16, 2},
                                                     {"s24", Encoding::kS24, 3},
                                                     {"s32", Encoding::kS32, 4},
                                                     {"f32", Encoding::kF32, 4},
                                                     {"f64", Encoding::kF64, 8}}};

template <typename Value>
Value Load(const char* bytes) {
  Value value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

float ToFloat(Encoding encoding, const char* bytes) {
  switch (encoding) {
    case Encoding::kU8:
      return static_cast<float>(static_cast<unsigned char>(*bytes) - 128) / 128;
    case Encoding::kS24: {
      // The upper three bytes of an integer, so that its sign is the sample's.
      uint32_t upper = 0;
      std::memcpy(reinterpret_cast<char*>(&upper) + 1, bytes, 3);
      return static_cast<float>(static_cast<int32_t>(upper)) / 0x1p31F;
    }
    case Encoding::kS32:
      return static_cast<float>(Load<int32_t>(bytes)) / 0x1p31F;
    case Encoding::kF64:
      return static_cast<float>(Load<double>(bytes));
    case Encoding::kS16:
    case Encoding::kF32:
      break;
  }
  return 0;  // Those travel as they are.
}

}  // namespace

std::vector<std::string> EncodingNames() {
  std::vector<std::string> names;
  names.reserve(std::size(kEncodings));
  for (const EncodingInfo& info : kEncodings) names.emplace_back(info.name);
  return names;
}

std::optional<Encoding> EncodingByName(std::string_view name) {
  for (const EncodingInfo& info : kEncodings) {
    if (info.name == name) return info.encoding;
  }
  return std::nullopt;
}

int SampleBytes(Encoding encoding) {
  for (const EncodingInfo& info : kEncodings) {
    if (info.encoding == encoding) return info.bytes;
  }
  return 0;
}

client::Audio::Encoding WireEncoding(Encoding encoding) {
  return encoding == Encoding::kS16 ? client::Audio::Encoding::kLinear16 : client::Audio::Encoding::kFloat32;
}

std::string_view SampleConverter::Convert(std::string_view bytes) {
  if (encoding_ == Encoding::kS16 || encoding_ == Encoding::kF32) return bytes;
  const auto size = static_cast<size_t>(SampleBytes(encoding_));
  converted_.clear();
  const auto append = [this](const char* sample) {
    const float value = ToFloat(encoding_, sample);
    converted_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  if (!rest_.empty()) {
    const size_t missing = std::min(size - rest_.size(), bytes.size());
    rest_.append(bytes.substr(0, missing));
    bytes.remove_prefix(missing);
    if (rest_.size() < size) return {};
    append(rest_.data());
    rest_.clear();
  }
  for (; bytes.size() >= size; bytes.remove_prefix(size)) append(bytes.data());
  rest_ = bytes;
  return converted_;
}

}  // namespace hearwire::cli
