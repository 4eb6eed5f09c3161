// The door that every RPC passes: who calls is decided here, on what gRPC knows of the call, and whether they may.
//
// What decides is server/access, which knows no gRPC. Each service's handlers begin with Enter; tests hold them to it.

#ifndef HEARWIRE_SERVER_RPC_DOOR_H_
#define HEARWIRE_SERVER_RPC_DOOR_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "absl/time/time.h"
#include "server/access/access_policy.h"
#include "server/access/caller_meter.h"
#include "server/rpc/read_request.h"

namespace hearwire {

// Methods of hearwire.v1.EmbeddingService, inference.GRPCInferenceService and hearwire.admin.v1.AdminService, for lists
// of what a token is for. No two have the same name.
std::vector<std::string> ServiceMethods();

// Of a connection's auth context: the uid of the process at the other end of a socket of the machine, in digits.
inline constexpr char kUidProperty[] = "hearwire_uid";

struct DoorOptions {
  // Metadata by which a trusted proxy names the caller; lower case.
  std::string caller_header = "x-hearwire-caller";
  // Whether clients show certificates: then their names are looked at.
  bool has_client_certificates = false;
};

// Thread-safe.
class Door {
 public:
  explicit Door(AccessOptions access = {}, DoorOptions options = {})
      : policy_(std::move(access)), options_(std::move(options)) {}

  // Who calls. Else UNAUTHENTICATED (TOKEN_MISSING, TOKEN_UNKNOWN) or PERMISSION_DENIED (NOT_PERMITTED). A method of
  // administration is known by its name.
  std::variant<Caller, RequestFault> Enter(const grpc::CallbackServerContext& context, std::string_view method) const;
  // Likewise for a method of health.
  std::optional<RequestFault> EnterHealth(const grpc::CallbackServerContext& context, std::string_view method) const;

  // The caller's limits. TakeCall comes before a call begins, Take as it turns out what more it takes.
  // RESOURCE_EXHAUSTED, CALLER_LIMIT, and when there is enough again. Bytes are those of requests.
  std::optional<RequestFault> TakeCall(const Caller& caller, int64_t bytes);
  std::optional<RequestFault> Take(const Caller& caller, int64_t bytes, absl::Duration audio);

  // Whether the header that names callers is believed from there.
  bool TrustsProxy(std::string_view address) const { return policy_.TrustsProxy(address); }

  TokenStore* tokens() const { return policy_.tokens(); }

 private:
  std::variant<Caller, RequestFault> Decide(const grpc::CallbackServerContext& context, std::string_view method,
                                            Presented::Purpose purpose) const;

  // Callers whose limits are kept; each takes some 300 bytes.
  static constexpr size_t kMostCallers = 1 << 14;

  const AccessPolicy policy_;
  const DoorOptions options_;
  CallerMeter meter_{kMostCallers};
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_DOOR_H_
