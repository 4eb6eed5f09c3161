// How the target `requests` reads its bytes: the first says which method is called, the rest is the request's message,
// or a stream's messages, each after its length in two bytes, the lower first.

#ifndef HEARWIRE_TESTS_FUZZ_REQUEST_BYTES_H_
#define HEARWIRE_TESTS_FUZZ_REQUEST_BYTES_H_

#include <google/protobuf/message.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hearwire/v1/embedding.pb.h"

namespace hearwire {

struct FuzzedMethod {
  const char* name;
  const google::protobuf::Message* request;
  const google::protobuf::Message* response;
};

inline const std::array<FuzzedMethod, 7>& FuzzedMethods() {
  static const std::array<FuzzedMethod, 7> methods = {{
      {"GetSceneEmbeddings", &v1::GetSceneEmbeddingsRequest::default_instance(),
       &v1::GetSceneEmbeddingsResponse::default_instance()},
      {"GetTimestampEmbeddings", &v1::GetTimestampEmbeddingsRequest::default_instance(),
       &v1::GetTimestampEmbeddingsResponse::default_instance()},
      {"GetTags", &v1::GetTagsRequest::default_instance(), &v1::GetTagsResponse::default_instance()},
      {"Classify", &v1::ClassifyRequest::default_instance(), &v1::ClassifyResponse::default_instance()},
      {"ListConfigs", &v1::ListConfigsRequest::default_instance(), &v1::ListConfigsResponse::default_instance()},
      {"ListHeads", &v1::ListHeadsRequest::default_instance(), &v1::ListHeadsResponse::default_instance()},
      {"StreamEmbeddings", &v1::StreamEmbeddingsRequest::default_instance(),
       &v1::StreamEmbeddingsResponse::default_instance()},
  }};
  return methods;
}

inline constexpr size_t kStreamMethod = 6;  // The others are unary.

inline std::vector<std::string> SplitStream(std::string_view bytes) {
  std::vector<std::string> messages;
  while (bytes.size() >= 2) {
    const size_t length = static_cast<uint8_t>(bytes[0]) | static_cast<size_t>(static_cast<uint8_t>(bytes[1])) << 8;
    bytes.remove_prefix(2);
    messages.emplace_back(bytes.substr(0, length));
    bytes.remove_prefix(std::min(length, bytes.size()));
  }
  return messages;
}

inline std::string JoinStream(const std::vector<std::string>& messages) {
  std::string bytes;
  for (const std::string& message : messages) {
    const size_t length = std::min<size_t>(message.size(), 0xFFFF);
    bytes += static_cast<char>(length & 0xFF);
    bytes += static_cast<char>(length >> 8);
    bytes.append(message, 0, length);
  }
  return bytes;
}

}  // namespace hearwire

#endif  // HEARWIRE_TESTS_FUZZ_REQUEST_BYTES_H_
