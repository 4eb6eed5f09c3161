#include "models/own_networks/labels_file.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "models/checkpoint/quote.h"
#include "models/checkpoint/read_file.h"

namespace hearwire {
namespace {

constexpr int64_t kMaxFileBytes = 4 << 20;
constexpr size_t kMaxLabelBytes = 200;

// Of one character, as the first byte says; 0: no character begins so.
size_t CharacterBytes(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return 2;
  if (first >= 0xe0 && first < 0xf0) return 3;
  return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

// Replies carry labels, and protobuf's strings are UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    const size_t size = CharacterBytes(first);
    if (size == 0 || text.size() - at < size) return false;
    for (size_t i = 1; i < size; ++i) {
      if ((static_cast<unsigned char>(text[at + i]) & 0xc0) != 0x80) return false;
    }
    const unsigned char second = size > 2 ? static_cast<unsigned char>(text[at + 1]) : 0xa0;
    if (first == 0xe0 && second < 0xa0) return false;
    if (first == 0xed && second >= 0xa0) return false;
    if (first == 0xf0 && second < 0x90) return false;
    if (first == 0xf4 && second >= 0x90) return false;
    at += size;
  }
  return true;
}

bool HasControls(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7f;
  });
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ParseLabels(std::string_view text) {
  std::vector<std::string> labels;
  std::map<std::string_view, size_t> seen;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view label = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (label.ends_with('\r')) label.remove_suffix(1);
    const size_t line = labels.size() + 1;
    const auto wrong = [line](const auto&... what) {
      return absl::InvalidArgumentError(absl::StrCat(line, ": ", what...));
    };
    if (label.empty()) return wrong("an empty line; each line is the label of one class");
    if (label.size() > kMaxLabelBytes) {
      return wrong("a label of ", label.size(), " bytes; at most ", kMaxLabelBytes, " are taken");
    }
    if (!IsUtf8(label)) return wrong("the label ", Quote(label), " is not in UTF-8");
    if (HasControls(label)) return wrong("the label ", Quote(label), " has control characters");
    const auto [first, is_new] = seen.emplace(label, line);
    if (!is_new) return wrong("the label ", Quote(label), " is there already, on line ", first->second);
    labels.emplace_back(label);
  }
  if (labels.empty()) return absl::InvalidArgumentError("1: no label; each line is the label of one class");
  return labels;
}

absl::StatusOr<std::vector<std::string>> LoadLabels(const std::string& path) {
  const absl::StatusOr<FileBytes> bytes = ReadFile(path, kMaxFileBytes, "a file of labels");
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<std::vector<std::string>> labels = ParseLabels(bytes->view());
  if (labels.ok()) return labels;
  return absl::Status(labels.status().code(), absl::StrCat(path, ":", labels.status().message()));
}

}  // namespace hearwire
