#include "server/health_service.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

namespace hearwire {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr char kService[] = "hearwire.v1.EmbeddingService";

class HealthServiceTest : public testing::Test {
 protected:
  HealthServiceTest() : health_({kService}) {
    grpc::ServerBuilder builder;
    builder.RegisterService(&health_);
    server_ = builder.BuildAndStart();
    stub_ = Health::NewStub(server_->InProcessChannel({}));
  }
  ~HealthServiceTest() override {
    health_.EndWatches();
    server_->Shutdown();
  }

  HealthCheckRequest Request(const std::string& service) {
    HealthCheckRequest request;
    request.set_service(service);
    return request;
  }
  HealthCheckResponse::ServingStatus Check(const std::string& service) {
    grpc::ClientContext context;
    HealthCheckResponse response;
    const grpc::Status status = stub_->Check(&context, Request(service), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.status();
  }

  // One Watch stream, read as its statuses come.
  struct Watch {
    Watch(Health::Stub* stub, const HealthCheckRequest& request) : reader(stub->Watch(&context, request)) {}
    HealthCheckResponse::ServingStatus Next() {
      HealthCheckResponse response;
      return reader->Read(&response) ? response.status() : HealthCheckResponse::UNKNOWN;
    }
    bool Ended() {
      HealthCheckResponse response;
      return !reader->Read(&response);
    }
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader;
  };

  HealthService health_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Health::Stub> stub_;
};

TEST_F(HealthServiceTest, IsNotServingUntilItIsTold) {
  EXPECT_EQ(Check(""), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Check(kService), HealthCheckResponse::NOT_SERVING);
  health_.SetServing(true);
  EXPECT_EQ(Check(""), HealthCheckResponse::SERVING);
  EXPECT_EQ(Check(kService), HealthCheckResponse::SERVING);
  health_.SetServing(false);
  EXPECT_EQ(Check(""), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthServiceTest, DoesNotKnowOtherServices) {
  grpc::ClientContext context;
  HealthCheckResponse response;
  EXPECT_EQ(stub_->Check(&context, Request("other"), &response).error_code(), grpc::StatusCode::NOT_FOUND);
  Watch watch(stub_.get(), Request("other"));
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVICE_UNKNOWN);
}

TEST_F(HealthServiceTest, RefusesMoreThanANameCanHave) {
  grpc::ClientContext context;
  HealthCheckResponse response;
  const grpc::Status status = stub_->Check(&context, Request(std::string(5000, 'a')), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "the message has 5003 bytes; a HealthCheckRequest has at most 4096");
  Watch watch(stub_.get(), Request(std::string(5000, 'a')));
  EXPECT_TRUE(watch.Ended());
  EXPECT_EQ(watch.reader->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(HealthServiceTest, TellsWatchersOfEveryChange) {
  Watch first(stub_.get(), Request(""));
  Watch second(stub_.get(), Request(kService));
  EXPECT_EQ(first.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(second.Next(), HealthCheckResponse::NOT_SERVING);
  health_.SetServing(true);
  EXPECT_EQ(first.Next(), HealthCheckResponse::SERVING);
  EXPECT_EQ(second.Next(), HealthCheckResponse::SERVING);
  health_.SetServing(true);  // No change.
  health_.SetServing(false);
  EXPECT_EQ(first.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(second.Next(), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthServiceTest, SurvivesWatchersThatLeave) {
  {
    Watch gone(stub_.get(), Request(""));
    EXPECT_EQ(gone.Next(), HealthCheckResponse::NOT_SERVING);
    gone.context.TryCancel();
    EXPECT_TRUE(gone.Ended());
  }
  Watch stays(stub_.get(), Request(""));
  EXPECT_EQ(stays.Next(), HealthCheckResponse::NOT_SERVING);
  health_.SetServing(true);
  EXPECT_EQ(stays.Next(), HealthCheckResponse::SERVING);
}

TEST_F(HealthServiceTest, EndsItsStreamsSoThatAShutdownNeedNotWait) {
  Watch watch(stub_.get(), Request(""));
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  health_.EndWatches();
  EXPECT_TRUE(watch.Ended());
  EXPECT_EQ(watch.reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  health_.SetServing(true);
  EXPECT_EQ(Check(""), HealthCheckResponse::NOT_SERVING) << "for good";
  Watch late(stub_.get(), Request(""));
  EXPECT_TRUE(late.Ended());

  const auto before = std::chrono::steady_clock::now();
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(20));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
}

}  // namespace
}  // namespace hearwire
