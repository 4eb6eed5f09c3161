#include "server/admin_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/fixtures/recorded_metrics.h"
#include "tests/server/access/sha256_of.h"

namespace hearwire {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

AccessOptions WithOperatorsToken() {
  std::string folder = testing::TempDir() + "hearwire-admin-XXXXXX";
  mkdtemp(folder.data());
  std::ofstream(folder + "/tokens") << Sha256Of("secret") + " ops methods=Reload\n";
  AccessOptions access;
  access.tokens = TokenStore::Create(folder + "/tokens", ServiceMethods()).value();
  std::filesystem::remove_all(folder);
  return access;
}

// The service alone; the test is its reloader.
class AdminServiceTest : public testing::Test {
 protected:
  AdminServiceTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    intake_.Open();
  }
  ~AdminServiceTest() override { server_->Shutdown(); }

  grpc::Status Reload(const std::string& token = "secret") {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + token);
    const auto stub = admin::v1::AdminService::NewStub(server_->InProcessChannel({}));
    return stub->Reload(&context, {}, &response_);
  }
  std::string Reason(const grpc::Status& status) {
    google::rpc::Status details;
    google::rpc::ErrorInfo info;
    EXPECT_TRUE(details.ParseFromString(status.error_details()));
    EXPECT_TRUE(details.details_size() > 0 && details.details(0).UnpackTo(&info));
    return info.reason();
  }

  std::function<void(const Reloader::Done&)> reload_;
  int asked_ = 0;
  admin::v1::ReloadResponse response_;

 private:
  RecordedMetrics metrics_;
  Door door_{WithOperatorsToken()};
  CallIntake intake_{&metrics_, &door_, nullptr, {}, 100};
  AdminService service_{&intake_, [this](Reloader::Done done) {
                          ++asked_;
                          reload_(done);
                        }};
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(AdminServiceTest, TellsWhatHasChanged) {
  reload_ = [](const Reloader::Done& done) {
    ReloadReport report;
    report.models.networks = {.added = {"mn04_as"}, .replaced = {"mn10_as"}, .removed = {}, .kept = {"hearwire_mn01"}};
    report.models.heads = {.added = {}, .replaced = {}, .removed = {"cats", "dogs"}, .kept = {}};
    report.certificate = true;
    // As the reloader does, on a thread of its own.
    std::thread([done, report] { done(report); }).join();
  };
  const grpc::Status status = Reload();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(response_.networks().added(), ElementsAre("mn04_as"));
  EXPECT_THAT(response_.networks().replaced(), ElementsAre("mn10_as"));
  EXPECT_THAT(response_.networks().removed(), IsEmpty());
  EXPECT_THAT(response_.heads().removed(), ElementsAre("cats", "dogs"));
  EXPECT_TRUE(response_.certificate_replaced());
  EXPECT_FALSE(response_.tokens_replaced());
}

TEST_F(AdminServiceTest, SaysWhyNothingHas) {
  struct Case {
    absl::Status told;
    grpc::StatusCode code;
    std::string reason;
  };
  for (const Case& one : {Case{absl::FailedPreconditionError("mn04_as.pt: not a zip"),
                               grpc::StatusCode::FAILED_PRECONDITION, "RELOAD_REFUSED"},
                          Case{absl::UnavailableError("it stops"), grpc::StatusCode::UNAVAILABLE, "SHUTTING_DOWN"},
                          Case{absl::ResourceExhaustedError("64 callers wait for a reload already"),
                               grpc::StatusCode::RESOURCE_EXHAUSTED, "TOO_MANY_CALLS"},
                          Case{absl::InternalError("odd"), grpc::StatusCode::INTERNAL, "INTERNAL"}}) {
    reload_ = [&](const Reloader::Done& done) { done(one.told); };
    const grpc::Status status = Reload();
    EXPECT_EQ(status.error_code(), one.code) << one.told;
    EXPECT_EQ(Reason(status), one.reason) << one.told;
    EXPECT_EQ(status.error_message(), std::string(one.told.message()));
  }
}

TEST_F(AdminServiceTest, AsksForNothingWhereTheDoorIsClosed) {
  EXPECT_EQ(Reload("guess").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(asked_, 0);
}

}  // namespace
}  // namespace hearwire
