#include "server/reflection_service.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "grpc/health/v1/health.grpc.pb.h"
#include "hearwire/admin/v1/admin.grpc.pb.h"
#include "hearwire/v1/embedding.grpc.pb.h"
#include "inference/open_inference.grpc.pb.h"
#include "server/concurrency/border.h"
#include "server/rpc/read_message.h"
#include "server/rpc/status.h"

namespace hearwire {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1alpha::FileDescriptorResponse;
using grpc::reflection::v1alpha::ServerReflection;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;

namespace {

// The file, and before it those that it imports, each once.
void AddFile(const FileDescriptor& file, std::set<const FileDescriptor*>* added, FileDescriptorResponse* response) {
  if (!added->insert(&file).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) AddFile(*file.dependency(i), added, response);
  google::protobuf::FileDescriptorProto description;
  file.CopyTo(&description);
  description.SerializeToString(response->add_file_descriptor_proto());
}

void Fail(grpc::StatusCode code, std::string_view message, ServerReflectionResponse* response) {
  response->mutable_error_response()->set_error_code(code);
  response->mutable_error_response()->set_error_message(std::string(message));
}

// One stream; deletes itself when it is done. One operation is under way at a time, and none succeeds once the caller
// has gone: so the stream is finished once, by the operation that fails or by the caller's end of questions.
class Stream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  Stream() { StartRead(&request_); }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    grpc::Status wrong;
    const absl::Status contained = Contain([&] { wrong = Answer(); });
    if (!contained.ok()) return Finish(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "no memory is left"));
    if (!wrong.ok()) return Finish(wrong);
    StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  grpc::Status Answer() {
    ServerReflectionRequest request;
    if (std::optional<RequestFault> fault = ReadSmallMessage(&request_, &request)) {
      return ToRpcStatus(fault->error, fault->field).status;
    }
    response_.Clear();
    WriteMessage(Reflect(request), &response_);
    return grpc::Status::OK;
  }

  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
};

}  // namespace

ServerReflectionResponse Reflect(const ServerReflectionRequest& request) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  ServerReflectionResponse response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  const FileDescriptor* file = nullptr;
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kListServices:
      for (const char* service :
           {v1::EmbeddingService::service_full_name(), inference::GRPCInferenceService::service_full_name(),
            admin::v1::AdminService::service_full_name(), grpc::health::v1::Health::service_full_name(),
            ServerReflection::service_full_name()}) {
        response.mutable_list_services_response()->add_service()->set_name(service);
      }
      return response;
    case ServerReflectionRequest::kFileByFilename:
      file = pool.FindFileByName(request.file_by_filename());
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      file = pool.FindFileContainingSymbol(request.file_containing_symbol());
      break;
    case ServerReflectionRequest::kFileContainingExtension:
    case ServerReflectionRequest::kAllExtensionNumbersOfType:
      Fail(grpc::StatusCode::UNIMPLEMENTED, "no message of this server has extensions", &response);
      return response;
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      Fail(grpc::StatusCode::INVALID_ARGUMENT, "the request asks nothing: set one of message_request", &response);
      return response;
  }
  if (file == nullptr) {
    Fail(grpc::StatusCode::NOT_FOUND, "this server has no such file or symbol: list_services tells what to ask for",
         &response);
    return response;
  }
  std::set<const FileDescriptor*> added;
  AddFile(*file, &added, response.mutable_file_descriptor_response());
  return response;
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ReflectionService::ServerReflectionInfo(
    grpc::CallbackServerContext* /*context*/) {
  return new Stream;
}

}  // namespace hearwire
