#include "server/rpc/write_tags.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "models/configs/audioset.h"

namespace hearwire {
namespace {

constexpr int64_t kBytesBesideTheName = 16;

int64_t LongestClassName() {
  size_t longest = 0;
  for (const std::string_view name : AudioSetClassNames()) longest = std::max(longest, name.size());
  return static_cast<int64_t>(longest);
}

}  // namespace

int64_t MostTagBytes() {
  static const int64_t longest_name = LongestClassName();
  return kBytesBesideTheName + longest_name;
}

void WriteTags(absl::Span<const float> logits, int top_k, google::protobuf::RepeatedPtrField<v1::Tag>* tags) {
  std::vector<float> probabilities;
  probabilities.reserve(logits.size());
  for (const float logit : logits) probabilities.push_back(static_cast<float>(1.0 / (1.0 + std::exp(-double{logit}))));
  std::vector<size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + top_k, order.end(), [&](size_t a, size_t b) {
    return probabilities[a] != probabilities[b] ? probabilities[a] > probabilities[b] : a < b;
  });
  const auto names = AudioSetClassNames();
  for (const size_t index : absl::MakeConstSpan(order).first(static_cast<size_t>(top_k))) {
    v1::Tag* tag = tags->Add();
    tag->set_index(static_cast<uint32_t>(index));
    tag->set_name(std::string(names[index]));
    tag->set_probability(probabilities[index]);
  }
}

}  // namespace hearwire
