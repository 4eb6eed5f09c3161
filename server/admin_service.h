// hearwire.admin.v1.AdminService: what the server's operator asks of it while it runs. Its calls come in as those of
// all services do: through the door, which is narrower for them (server/access/access_policy.h), into metrics and logs.

#ifndef HEARWIRE_SERVER_ADMIN_SERVICE_H_
#define HEARWIRE_SERVER_ADMIN_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <utility>

#include "hearwire/admin/v1/admin.grpc.pb.h"
#include "server/reloader.h"
#include "server/rpc/call_intake.h"

namespace hearwire {

namespace admin_internal {

using RawMethods = admin::v1::AdminService::WithRawCallbackMethod_Reload<admin::v1::AdminService::Service>;

}  // namespace admin_internal

// Thread-safe. Must outlive the gRPC server that it is registered with.
class AdminService final : public admin_internal::RawMethods {
 public:
  // intake: that of all the server's calls; outlives this. request_reload: as Reloader::Request; called from when the
  // intake is open.
  AdminService(CallIntake* intake, std::function<void(Reloader::Done)> request_reload)
      : intake_(intake), request_reload_(std::move(request_reload)) {}

  // Ends when the reload that it has asked for has: FAILED_PRECONDITION, RELOAD_REFUSED, with the message of
  // server/reload.h. UNAVAILABLE: STARTING, or SHUTTING_DOWN. RESOURCE_EXHAUSTED, TOO_MANY_CALLS: too many wait for a
  // reload.
  grpc::ServerUnaryReactor* Reload(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                   grpc::ByteBuffer* reply) override;

 private:
  CallIntake* const intake_;
  const std::function<void(Reloader::Done)> request_reload_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_ADMIN_SERVICE_H_
