// Text of others' making (file names, a server's messages) for people to read.

#ifndef HEARWIRE_CLIENT_CLI_PRINTABLE_H_
#define HEARWIRE_CLIENT_CLI_PRINTABLE_H_

#include <string>
#include <string_view>

namespace hearwire::cli {

// The text in one line that tells a terminal to do nothing: control characters as \n, \r, \t or \x1b, those beyond
// ASCII (U+0080 to U+009F) and bytes that are no UTF-8 byte by byte as \x9b. All else stays as it is.
std::string Printable(std::string_view text);

}  // namespace hearwire::cli

#endif  // HEARWIRE_CLIENT_CLI_PRINTABLE_H_
