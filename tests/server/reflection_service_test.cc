#include "server/reflection_service.h"

#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace hearwire {
namespace {

using grpc::reflection::v1alpha::ServerReflection;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;

constexpr char kService[] = "grpc.reflection.v1alpha.ServerReflection";
constexpr char kFile[] = "grpc/reflection/v1alpha/reflection.proto";

ServerReflectionRequest AboutSymbol(const std::string& symbol) {
  ServerReflectionRequest request;
  request.set_file_containing_symbol(symbol);
  return request;
}

// The names of the files in an answer.
std::vector<std::string> Files(const ServerReflectionResponse& response) {
  std::vector<std::string> names;
  for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    EXPECT_TRUE(file.ParseFromString(bytes));
    names.push_back(file.name());
  }
  return names;
}

TEST(ReflectTest, TellsTheFileOfASymbol) {
  for (const char* symbol : {kService, "grpc.reflection.v1alpha.ServerReflection.ServerReflectionInfo",
                             "grpc.reflection.v1alpha.ErrorResponse.error_code"}) {
    const ServerReflectionResponse response = Reflect(AboutSymbol(symbol));
    EXPECT_EQ(Files(response), std::vector<std::string>{kFile}) << symbol;
    EXPECT_EQ(response.original_request().file_containing_symbol(), symbol);
  }
}

TEST(ReflectTest, TellsAFileByItsNameWithWhatItImports) {
  ServerReflectionRequest request;
  request.set_file_by_filename("google/rpc/status.proto");
  EXPECT_EQ(Files(Reflect(request)),
            (std::vector<std::string>{"google/protobuf/any.proto", "google/rpc/status.proto"}));
}

TEST(ReflectTest, SaysWhatItDoesNotHave) {
  EXPECT_EQ(Reflect(AboutSymbol("no.such.Symbol")).error_response().error_code(), grpc::StatusCode::NOT_FOUND);
  ServerReflectionRequest request;
  EXPECT_EQ(Reflect(request).error_response().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.set_all_extension_numbers_of_type(kService);
  EXPECT_EQ(Reflect(request).error_response().error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

class ReflectionServiceTest : public testing::Test {
 protected:
  ReflectionServiceTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = ServerReflection::NewStub(server_->InProcessChannel({}));
    stream_ = stub_->ServerReflectionInfo(&context_);
  }
  ~ReflectionServiceTest() override {
    context_.TryCancel();
    stream_.reset();
    server_->Shutdown();
  }

  ReflectionService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<ServerReflection::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<ServerReflectionRequest, ServerReflectionResponse>> stream_;
};

TEST_F(ReflectionServiceTest, AnswersQuestionAfterQuestion) {
  ServerReflectionRequest list;
  list.set_list_services("");
  ServerReflectionResponse response;
  for (int turn = 0; turn < 3; ++turn) {
    ASSERT_TRUE(stream_->Write(list) && stream_->Read(&response));
    ASSERT_EQ(response.list_services_response().service_size(), 5);
    EXPECT_EQ(response.list_services_response().service(0).name(), "hearwire.v1.EmbeddingService");
    EXPECT_EQ(response.list_services_response().service(1).name(), "inference.GRPCInferenceService");
    EXPECT_EQ(response.list_services_response().service(2).name(), "hearwire.admin.v1.AdminService");
    EXPECT_EQ(response.list_services_response().service(3).name(), "grpc.health.v1.Health");
    EXPECT_EQ(response.list_services_response().service(4).name(), kService);
    ASSERT_TRUE(stream_->Write(AboutSymbol(kService)) && stream_->Read(&response));
    EXPECT_EQ(Files(response), std::vector<std::string>{kFile});
  }
  EXPECT_TRUE(stream_->WritesDone());
  EXPECT_FALSE(stream_->Read(&response));
  EXPECT_TRUE(stream_->Finish().ok());
}

TEST_F(ReflectionServiceTest, EndsAtARequestThatIsTooLarge) {
  ServerReflectionResponse response;
  EXPECT_TRUE(stream_->Write(AboutSymbol(std::string(5000, 'a'))));
  EXPECT_FALSE(stream_->Read(&response));
  const grpc::Status status = stream_->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "the message has 5003 bytes; a ServerReflectionRequest has at most 4096");
}

TEST_F(ReflectionServiceTest, SurvivesCallersThatLeave) {
  ServerReflectionResponse response;
  ASSERT_TRUE(stream_->Write(AboutSymbol(kService)) && stream_->Read(&response));
  context_.TryCancel();
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::CANCELLED);
  grpc::ClientContext another;
  auto stream = stub_->ServerReflectionInfo(&another);
  EXPECT_TRUE(stream->Write(AboutSymbol(kService)) && stream->Read(&response));
  another.TryCancel();
}

}  // namespace
}  // namespace hearwire
