#include "server/rpc/write_tags.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "server/rpc/best_values.h"

namespace hearwire {
namespace {

constexpr int64_t kBytesBesideTheName = 16;
constexpr int64_t kBytesHeldBesideTheName = 72;

int64_t LongestClassName(const NetworkInfo& network) {
  size_t longest = 0;
  for (const std::string_view name : network.class_names()) longest = std::max(longest, name.size());
  return static_cast<int64_t>(longest);
}

}  // namespace

int64_t MostTagBytes(const NetworkInfo& network) { return kBytesBesideTheName + LongestClassName(network); }

int64_t MostTagBytesHeld(const NetworkInfo& network) { return kBytesHeldBesideTheName + LongestClassName(network); }

int TagCount(uint32_t asked, const NetworkInfo& network) {
  return static_cast<int>(std::min<uint32_t>(asked, static_cast<uint32_t>(network.class_count())));
}

void WriteTags(absl::Span<const float> logits, int top_k, const NetworkInfo& network,
               google::protobuf::RepeatedPtrField<v1::Tag>* tags) {
  std::vector<float> probabilities;
  probabilities.reserve(logits.size());
  for (const float logit : logits) probabilities.push_back(static_cast<float>(1.0 / (1.0 + std::exp(-double{logit}))));
  std::vector<size_t> order;
  const auto names = network.class_names();
  for (const size_t index : FindBest(probabilities, static_cast<size_t>(top_k), &order)) {
    v1::Tag* tag = tags->Add();
    tag->set_index(static_cast<uint32_t>(index));
    tag->set_name(std::string(names[index]));
    tag->set_probability(probabilities[index]);
  }
}

}  // namespace hearwire
