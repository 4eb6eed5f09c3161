// The project's own small network (README.md beside this file), embedded in the program.

#ifndef HEARWIRE_MODELS_WEIGHTS_EMBEDDED_NETWORK_H_
#define HEARWIRE_MODELS_WEIGHTS_EMBEDDED_NETWORK_H_

#include <string_view>

namespace hearwire {

// The bytes of hearwire_mn01.pt, for ParseCheckpoint. Valid for ever.
std::string_view EmbeddedCheckpoint();

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_WEIGHTS_EMBEDDED_NETWORK_H_
