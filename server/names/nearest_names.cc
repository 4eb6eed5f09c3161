#include "server/names/nearest_names.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace hearwire {
namespace {

constexpr size_t kMaxLength = 64;
constexpr size_t kLeastPart = 3;

int Edits(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = std::exchange(row[0], static_cast<int>(i));
    for (size_t j = 1; j <= b.size(); ++j) {
      const int replaced = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

bool IsNear(std::string_view sought, std::string_view candidate, int edits) {
  return edits <= std::max(2, static_cast<int>(candidate.size() / 3)) ||
         (sought.size() >= kLeastPart && candidate.find(sought) != std::string_view::npos);
}

}  // namespace

std::vector<std::string_view> NearestNames(std::string_view name, absl::Span<const std::string_view> names, int count) {
  const std::string_view sought = name.substr(0, kMaxLength);
  std::vector<std::pair<int, std::string_view>> ranked;
  ranked.reserve(names.size());
  for (const std::string_view candidate : names) {
    const int edits = Edits(sought, candidate);
    if (IsNear(sought, candidate, edits)) ranked.emplace_back(edits, candidate);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string_view> nearest;
  for (size_t i = 0; i < ranked.size() && i < static_cast<size_t>(count); ++i) nearest.push_back(ranked[i].second);
  return nearest;
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text.substr(0, kMaxLength)) quoted += c >= ' ' && c <= '~' ? c : '?';
  quoted += '"';
  if (text.size() > kMaxLength) quoted += "…";
  return quoted;
}

}  // namespace hearwire
