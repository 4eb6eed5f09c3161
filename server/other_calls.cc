#include "server/other_calls.h"

#include <grpcpp/support/server_interceptor.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hearwire/admin/v1/admin.grpc.pb.h"
#include "hearwire/v1/embedding.grpc.pb.h"
#include "inference/open_inference.grpc.pb.h"

namespace hearwire {
namespace {

std::atomic<int64_t> other_calls = 0;

// Lives as long as gRPC's context of the call.
class CountedCall final : public grpc::experimental::Interceptor {
 public:
  CountedCall(CallsByPeer* calls, std::string_view peer) : by_peer_(calls, peer) { ++other_calls; }
  ~CountedCall() override { --other_calls; }
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override { methods->Proceed(); }

 private:
  const CallsByPeer::Counted by_peer_;
};

// Calls of our own services, which count them, have no interceptor, and none of its cost.
class CountOthers final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CountOthers(CallsByPeer* calls) : calls_(calls) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* info) override {
    const std::string_view method = info->method() != nullptr ? info->method() : "";
    for (const std::string& own : own_) {
      if (method.substr(0, own.size()) == own) return nullptr;
    }
    return new CountedCall(calls_, info->server_context()->peer());
  }

 private:
  CallsByPeer* const calls_;
  const std::array<std::string, 3> own_ = {
      absl::StrCat("/", admin::v1::AdminService::service_full_name(), "/"),
      absl::StrCat("/", v1::EmbeddingService::service_full_name(), "/"),
      absl::StrCat("/", inference::GRPCInferenceService::service_full_name(), "/")};
};

}  // namespace

void WatchOtherCalls(grpc::ServerBuilder* builder, CallsByPeer* calls) {
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
  creators.push_back(std::make_unique<CountOthers>(calls));
  builder->experimental().SetInterceptorCreators(std::move(creators));
}

int64_t CountOtherCalls() { return other_calls; }

}  // namespace hearwire
