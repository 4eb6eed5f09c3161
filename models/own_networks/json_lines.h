// JSON whose values know the line that they stand on, so that a person can be told where a file is wrong.

#ifndef HEARWIRE_MODELS_OWN_NETWORKS_JSON_LINES_H_
#define HEARWIRE_MODELS_OWN_NETWORKS_JSON_LINES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace hearwire {

struct JsonMember;

struct JsonValue {
  enum class Kind { kOther, kInteger, kText, kList, kObject };  // kOther: null, a truth value, a fraction.
  Kind kind = Kind::kOther;
  int line = 1;                     // From 1 on; of a list or object that of its bracket.
  int64_t integer = 0;              // kInteger
  std::string text;                 // kText
  std::vector<JsonValue> items;     // kList
  std::vector<JsonMember> members;  // kObject, in the order of the file.

  // Null when it is no object or has none of that name.
  const JsonValue* Find(std::string_view name) const;
};

struct JsonMember {
  std::string name;
  int line = 1;  // Of the name.
  JsonValue value;
};

// INVALID_ARGUMENT, beginning with the line ("4: …"): no JSON, lists or objects within more than eight others, a name
// that an object has twice, more than 64 names in one, a number that no int64_t holds. Memory is bounded by a multiple
// of the text's size.
absl::StatusOr<JsonValue> ParseJsonLines(std::string_view text);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_OWN_NETWORKS_JSON_LINES_H_
