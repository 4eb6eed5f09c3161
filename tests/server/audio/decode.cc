#include "tests/server/audio/decode.h"

#include <gtest/gtest.h>

#include <utility>
#include <variant>

#include "server/audio/decode_audio.h"

namespace hearwire {

std::vector<float> Decode(const std::string& bytes, int rate_hz) {
  auto result = DecodeAudio(EncodedAudio{bytes}, {}, rate_hz);
  if (const auto* error = std::get_if<AudioError>(&result)) {
    ADD_FAILURE() << error->status;
    return {};
  }
  return std::get<std::vector<float>>(std::move(result));
}

}  // namespace hearwire
