// The gRPC service inference.GRPCInferenceService: other clients' way to the calls of hearwire.v1.EmbeddingService.
// What it is asked becomes the same checked call, which goes through the same door, limits, pipeline and errors.

#ifndef HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_SERVICE_H_
#define HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_SERVICE_H_

#include <string>

#include "absl/time/time.h"
#include "inference/open_inference.grpc.pb.h"
#include "server/open_inference/current_models.h"
#include "server/open_inference/inference_models.h"
#include "server/open_inference/inference_request.h"
#include "server/pipeline/pipeline.h"
#include "server/pipeline/served_models.h"
#include "server/rpc/call_intake.h"
#include "server/rpc/embedding_service.h"

namespace hearwire {

namespace rpc_internal {

using InferenceBase = inference::GRPCInferenceService;
template <typename Base>
using RawServerMethods = InferenceBase::WithRawCallbackMethod_ServerLive<
    InferenceBase::WithRawCallbackMethod_ServerReady<InferenceBase::WithRawCallbackMethod_ServerMetadata<
        InferenceBase::WithRawCallbackMethod_RepositoryIndex<Base>>>>;
template <typename Base>
using RawModelMethods = InferenceBase::WithRawCallbackMethod_ModelReady<
    InferenceBase::WithRawCallbackMethod_ModelMetadata<InferenceBase::WithRawCallbackMethod_ModelConfig<
        InferenceBase::WithRawCallbackMethod_ModelStatistics<InferenceBase::WithRawCallbackMethod_ModelInfer<Base>>>>>;
using RawInferenceMethods = RawServerMethods<RawModelMethods<InferenceBase::Service>>;

}  // namespace rpc_internal

// Thread-safe. Outlives the gRPC server that it is registered with; the pointers outlive it.
class InferenceService final : public rpc_internal::RawInferenceMethods {
 public:
  static const char* Name() { return inference::GRPCInferenceService::service_full_name(); }

  // The calls go through `intake`, which another service opens and drains; the options are those that it has too.
  InferenceService(const EmbeddingServiceOptions& options, const ServedModels* served, CallIntake* intake,
                   Pipeline* pipeline);

  // Both answer without a token where health does, and are counted as nobody's.
  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* reply) override;
  grpc::ServerUnaryReactor* ServerReady(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* reply) override;

  grpc::ServerUnaryReactor* ServerMetadata(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* reply) override;
  grpc::ServerUnaryReactor* RepositoryIndex(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* reply) override;
  grpc::ServerUnaryReactor* ModelReady(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* reply) override;
  grpc::ServerUnaryReactor* ModelMetadata(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* reply) override;
  grpc::ServerUnaryReactor* ModelConfig(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* reply) override;
  grpc::ServerUnaryReactor* ModelStatistics(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* reply) override;
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* reply) override;

 private:
  void Infer(const InferenceRequest& request, const InferenceModel& model, const NetworkCatalog& networks,
             CallReactor* call);

  // A method that only tells something of models: Fill makes the response of the request, or the fault.
  template <typename Request, typename Response, typename Fill>
  grpc::ServerUnaryReactor* Tell(grpc::CallbackServerContext* context, std::string_view method,
                                 const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply, Fill fill);
  // Likewise of the model that the request names: Write makes the response.
  template <typename Request, typename Response, typename Write>
  grpc::ServerUnaryReactor* TellOfModel(grpc::CallbackServerContext* context, std::string_view method,
                                        const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply, Write write);
  // Likewise of the server's health.
  template <typename Request, typename Response, typename Fill>
  grpc::ServerUnaryReactor* TellHealth(grpc::CallbackServerContext* context, std::string_view method,
                                       const grpc::ByteBuffer* bytes, grpc::ByteBuffer* reply, Fill fill);

  const int max_clips_;
  const absl::Duration max_deadline_;
  const std::string precision_;
  CallIntake* const intake_;
  Pipeline* const pipeline_;
  CurrentModels models_;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_OPEN_INFERENCE_INFERENCE_SERVICE_H_
