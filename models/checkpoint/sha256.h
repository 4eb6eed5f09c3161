#ifndef HEARWIRE_MODELS_CHECKPOINT_SHA256_H_
#define HEARWIRE_MODELS_CHECKPOINT_SHA256_H_

#include <string>
#include <string_view>

namespace hearwire {

// The SHA-256 of `bytes`, lower-case hexadecimal.
std::string Sha256(std::string_view bytes);

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_CHECKPOINT_SHA256_H_
