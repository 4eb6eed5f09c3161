// Variables of the environment that somebody has mistyped, perhaps.

#ifndef HEARWIRE_SERVER_UNKNOWN_VARIABLES_H_
#define HEARWIRE_SERVER_UNKNOWN_VARIABLES_H_

#include <string>
#include <vector>

namespace hearwire {

// A warning for each of `variables` that begins with HEARWIRE_, is neither known nor one that the clients read, and has
// a name near a known one. Others are of other programs, perhaps.
std::vector<std::string> UnknownVariables(const std::vector<std::string>& variables,
                                          const std::vector<std::string>& known);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_UNKNOWN_VARIABLES_H_
