#include "server/rpc/write_labels.h"

#include <algorithm>
#include <numeric>
#include <string>

namespace hearwire {
namespace {

constexpr int64_t kBytesBesideTheName = 16;

}  // namespace

size_t LabelWriter::CountOf(const Head& head) const {
  return top_k_ == 0 ? head.labels.size() : std::min<size_t>(top_k_, head.labels.size());
}

void LabelWriter::Write(const Head& head, absl::Span<const float> embedding, LabelNames names,
                        google::protobuf::RepeatedPtrField<v1::Label>* labels) {
  scores_.resize(head.labels.size());
  ComputeHeadScores(head, embedding, &workspace_, absl::MakeSpan(scores_));
  order_.resize(scores_.size());
  std::iota(order_.begin(), order_.end(), size_t{0});
  const size_t count = CountOf(head);
  std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(count), order_.end(),
                    [&](size_t a, size_t b) { return scores_[a] != scores_[b] ? scores_[a] > scores_[b] : a < b; });
  labels->Reserve(static_cast<int>(count));
  for (const size_t index : absl::MakeConstSpan(order_).first(count)) {
    v1::Label* label = labels->Add();
    label->set_index(static_cast<uint32_t>(index));
    if (names == LabelNames::kWritten) label->set_name(head.labels[index]);
    label->set_score(scores_[index]);
  }
}

int64_t LabelWriter::MostBytes(const Head& head, LabelNames names) const {
  size_t longest = 0;
  if (names == LabelNames::kWritten) {
    for (const std::string& label : head.labels) longest = std::max(longest, label.size());
  }
  return static_cast<int64_t>(CountOf(head)) * (kBytesBesideTheName + static_cast<int64_t>(longest));
}

}  // namespace hearwire
