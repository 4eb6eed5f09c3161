// The name under which a call is found in logs.

#ifndef HEARWIRE_SERVER_RPC_REQUEST_ID_H_
#define HEARWIRE_SERVER_RPC_REQUEST_ID_H_

#include <string>
#include <string_view>

namespace hearwire {

// Metadata key, of requests and replies.
inline constexpr char kRequestIdKey[] = "x-request-id";

// 1 to 128 characters, each a letter, a digit, or one of "._:/+=-".
bool IsSaneRequestId(std::string_view id);

// 32 hexadecimal digits, different at each call. Thread-safe.
std::string NewRequestId();

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_REQUEST_ID_H_
