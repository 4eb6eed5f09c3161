#include "models/own_networks/json_lines.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "models/checkpoint/quote.h"

namespace hearwire {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxDepth = 8;
constexpr size_t kMaxMembers = 64;  // Of an object: each new one is compared with all.

// Walks through text and tells how far the parser has read.
struct CountingIterator {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at = nullptr;
  const char** reached = nullptr;

  reference operator*() const { return *at; }
  CountingIterator& operator++() {
    *reached = ++at;
    return *this;
  }
  CountingIterator operator++(int) {
    const CountingIterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const CountingIterator& a, const CountingIterator& b) { return a.at == b.at; }
  friend bool operator!=(const CountingIterator& a, const CountingIterator& b) { return a.at != b.at; }
};

// Takes the parser's events and builds values of them. False from an event ends the parse; fault() says why.
class TreeBuilder final : public nlohmann::json_sax<Json> {
 public:
  // reached: how far the parser has read of text, which both outlive this.
  TreeBuilder(std::string_view text, const char* const* reached)
      : text_(text), reached_(reached), counted_(text.data()) {}

  bool null() override { return Put({}); }
  bool boolean(bool) override { return Put({}); }
  bool number_integer(int64_t value) override {
    JsonValue number = Of(JsonValue::Kind::kInteger);
    number.integer = value;
    return Put(std::move(number));
  }
  bool number_unsigned(uint64_t value) override {
    if (!std::in_range<int64_t>(value)) return Fail("a number is out of range");
    return number_integer(static_cast<int64_t>(value));
  }
  bool number_float(double, const std::string&) override { return Put({}); }
  bool string(std::string& value) override {
    JsonValue text = Of(JsonValue::Kind::kText);
    text.text = std::move(value);
    return Put(std::move(text));
  }
  bool binary(Json::binary_t&) override { return Put({}); }  // Not in text.
  bool start_object(size_t) override { return Open(JsonValue::Kind::kObject); }
  bool start_array(size_t) override { return Open(JsonValue::Kind::kList); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(std::string& name) override {
    std::vector<JsonMember>& members = open_.back()->members;
    for (const JsonMember& member : members) {
      if (member.name == name) return Fail("the name ", Quote(name), " is there twice, first on line ", member.line);
    }
    if (members.size() == kMaxMembers) return Fail("an object has more than ", kMaxMembers, " members");
    members.push_back({.name = std::move(name), .line = Line(), .value = {}});
    return true;
  }

  bool parse_error(size_t byte, const std::string&, const nlohmann::detail::exception&) override {
    // The byte is counted from 1 on, and is the last that was read.
    const size_t end = std::min(byte > 0 ? byte - 1 : 0, text_.size());
    const auto newlines = std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(end), '\n');
    fault_ = absl::StrCat(
        newlines + 1, ": no JSON: ", end == text_.size() ? "the file ends too early" : "what stands here does not fit");
    return false;
  }

  const std::string& fault() const { return fault_; }
  JsonValue Take() { return std::move(root_); }

 private:
  // Of what was read last. The parser has read at most the byte behind it, that which ends a number.
  int Line() {
    const char* const end = std::max(counted_, *reached_ - 1);
    line_ += static_cast<int>(std::count(counted_, end, '\n'));
    counted_ = end;
    return line_;
  }

  template <typename... What>
  bool Fail(const What&... what) {
    fault_ = absl::StrCat(Line(), ": ", what...);
    return false;
  }

  JsonValue* Place(JsonValue value) {
    value.line = Line();
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    JsonValue& parent = *open_.back();
    if (parent.kind == JsonValue::Kind::kObject) {
      parent.members.back().value = std::move(value);
      return &parent.members.back().value;
    }
    return &parent.items.emplace_back(std::move(value));
  }

  bool Put(JsonValue value) {
    Place(std::move(value));
    return true;
  }

  static JsonValue Of(JsonValue::Kind kind) {
    JsonValue value;
    value.kind = kind;
    return value;
  }

  // What is open stays where it is until it is closed: only the innermost grows.
  bool Open(JsonValue::Kind kind) {
    if (open_.size() == kMaxDepth) return Fail("lists and objects are nested deeper than ", kMaxDepth);
    open_.push_back(Place(Of(kind)));
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  const std::string_view text_;
  const char* const* const reached_;
  const char* counted_;  // As far as line_ counts.
  int line_ = 1;
  JsonValue root_;
  std::vector<JsonValue*> open_;
  std::string fault_;
};

}  // namespace

const JsonValue* JsonValue::Find(std::string_view name) const {
  for (const JsonMember& member : members) {
    if (member.name == name) return &member.value;
  }
  return nullptr;
}

absl::StatusOr<JsonValue> ParseJsonLines(std::string_view text) {
  const char* reached = text.data();
  TreeBuilder builder(text, &reached);
  const CountingIterator begin = {.at = text.data(), .reached = &reached};
  const CountingIterator end = {.at = text.data() + text.size(), .reached = &reached};
  if (!Json::sax_parse(begin, end, &builder)) return absl::InvalidArgumentError(builder.fault());
  return builder.Take();
}

}  // namespace hearwire
