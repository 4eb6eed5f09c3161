#include "server/rpc/write_tags.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "models/configs/audioset.h"
#include "server/rpc/best_values.h"

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
  std::vector<size_t> order;
  const auto names = AudioSetClassNames();
  for (const size_t index : FindBest(probabilities, static_cast<size_t>(top_k), &order)) {
    v1::Tag* tag = tags->Add();
    tag->set_index(static_cast<uint32_t>(index));
    tag->set_name(std::string(names[index]));
    tag->set_probability(probabilities[index]);
  }
}

}  // namespace hearwire
