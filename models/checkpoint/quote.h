// Text from a file for a message: in quotes, unprintable bytes escaped, cut to a length that can be read.

#ifndef HEARWIRE_MODELS_CHECKPOINT_QUOTE_H_
#define HEARWIRE_MODELS_CHECKPOINT_QUOTE_H_

#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace hearwire {

inline std::string Quote(std::string_view text) {
  constexpr size_t kMaxLength = 100;
  const std::string_view shown = text.substr(0, kMaxLength);
  return absl::StrCat("'", absl::CHexEscape(absl::string_view(shown.data(), shown.size())),
                      text.size() > kMaxLength ? "…'" : "'");
}

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CHECKPOINT_QUOTE_H_
