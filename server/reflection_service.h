// grpc.reflection.v1alpha.ServerReflection: what grpcurl needs to call this server without its proto.
//
// gRPC's own implementation has protobuf parse whatever comes: 62 MB of unknown fields were 4 GB. It also adds itself
// to every server of the process, and brings threads that block.

#ifndef HEARWIRE_SERVER_REFLECTION_SERVICE_H_
#define HEARWIRE_SERVER_REFLECTION_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace hearwire {

namespace reflection_internal {

using RawMethods = grpc::reflection::v1alpha::ServerReflection::WithRawCallbackMethod_ServerReflectionInfo<
    grpc::reflection::v1alpha::ServerReflection::Service>;

}  // namespace reflection_internal

// The answer to one question, from the descriptors that are linked into the program. Questions about extensions are
// UNIMPLEMENTED: no message here has any. list_services names those that this server has.
grpc::reflection::v1alpha::ServerReflectionResponse Reflect(
    const grpc::reflection::v1alpha::ServerReflectionRequest& request);

// Thread-safe. Must outlive the gRPC server that it is registered with. A stream of questions is answered one by one; a
// request that is too large or no message ends it with INVALID_ARGUMENT.
class ReflectionService final : public reflection_internal::RawMethods {
 public:
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ServerReflectionInfo(
      grpc::CallbackServerContext* context) override;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_REFLECTION_SERVICE_H_
