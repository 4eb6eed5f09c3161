#include "server/rpc/write_labels.h"

#include <algorithm>
#include <string>

#include "server/rpc/best_values.h"
#include "server/rpc/write_reply.h"

namespace hearwire {
namespace {

constexpr int64_t kBytesBesideTheName = 16;
constexpr size_t kMostRowsAtOnce = 64;  // Whose scores are held.

}  // namespace

size_t LabelWriter::CountOf(const Head& head) const {
  return top_k_ == 0 ? head.labels.size() : std::min<size_t>(top_k_, head.labels.size());
}

void LabelWriter::WriteScene(const Head& head, absl::Span<const float> embedding, LabelNames names,
                             google::protobuf::RepeatedPtrField<v1::Label>* labels) {
  scores_.resize(head.labels.size());
  ComputeHeadScores(head, {embedding.data(), 1, embedding.size()}, &workspace_, absl::MakeSpan(scores_));
  WriteBest(head, scores_, names, labels);
}

void LabelWriter::WriteTimestamps(const Head& head, Embeddings embeddings, int64_t first_window,
                                  google::protobuf::RepeatedPtrField<v1::LabelRow>* rows) {
  const size_t labels = head.labels.size();
  for (size_t done = 0; done < embeddings.count; done += kMostRowsAtOnce) {
    const size_t count = std::min(kMostRowsAtOnce, embeddings.count - done);
    scores_.resize(count * labels);
    ComputeHeadScores(head, {embeddings.first + done * embeddings.stride, count, embeddings.stride}, &workspace_,
                      absl::MakeSpan(scores_));
    for (size_t i = 0; i < count; ++i) {
      v1::LabelRow* row = rows->Add();
      row->set_timestamp_ms(static_cast<double>(first_window++) * kTimestampHopMs);
      WriteBest(head, absl::MakeConstSpan(scores_).subspan(i * labels, labels), LabelNames::kLeftOut,
                row->mutable_labels());
    }
  }
}

void LabelWriter::WriteBest(const Head& head, absl::Span<const float> scores, LabelNames names,
                            google::protobuf::RepeatedPtrField<v1::Label>* labels) {
  const size_t count = CountOf(head);
  labels->Reserve(static_cast<int>(count));
  for (const size_t index : FindBest(scores, count, &order_)) {
    v1::Label* label = labels->Add();
    label->set_index(static_cast<uint32_t>(index));
    if (names == LabelNames::kWritten) label->set_name(head.labels[index]);
    label->set_score(scores[index]);
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
