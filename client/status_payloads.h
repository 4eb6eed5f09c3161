// Where an absl::Status of the client keeps what error_details.h reads.

#ifndef HEARWIRE_CLIENT_STATUS_PAYLOADS_H_
#define HEARWIRE_CLIENT_STATUS_PAYLOADS_H_

namespace hearwire::client {

// Details of google.rpc stand under their own type URLs, serialised.
inline constexpr char kBadRequestPayload[] = "type.googleapis.com/google.rpc.BadRequest";
inline constexpr char kErrorInfoPayload[] = "type.googleapis.com/google.rpc.ErrorInfo";
inline constexpr char kRetryInfoPayload[] = "type.googleapis.com/google.rpc.RetryInfo";
inline constexpr char kRequestIdPayload[] = "hearwire/request-id";
inline constexpr char kUnreachablePayload[] = "hearwire/unreachable";  // Empty: its presence says it.

}  // namespace hearwire::client

#endif  // HEARWIRE_CLIENT_STATUS_PAYLOADS_H_
