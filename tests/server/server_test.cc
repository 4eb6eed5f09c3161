// A server with a GPU and a CPU, both fakes, over real ports.

#include "server/server.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "hearwire/v1/embedding.grpc.pb.h"
#include "models/weights/embedded_network.h"
#include "server/telemetry/exposer.h"
#include "tests/fixtures/fake_embedder.h"
#include "tests/server/telemetry/http_get.h"

namespace hearwire {
namespace {

namespace fs = std::filesystem;
using grpc::health::v1::HealthCheckResponse;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// On the GPU mn01_as is fast and hearwire_mn01 slow, on the CPU the other way round.
class ServerTest : public ::testing::Test {
 protected:
  // One for all tests: it takes two seconds to stop.
  static void SetUpTestSuite() { exposer_ = Exposer::Create("127.0.0.1", 0).value().release(); }
  static void TearDownTestSuite() { delete exposer_; }

  ServerTest() {
    std::string path = (fs::temp_directory_path() / "hearwire-server-XXXXXX").string();
    folder_ = mkdtemp(path.data());
    const std::string_view bytes = EmbeddedCheckpoint();
    std::ofstream(folder_ + "/mn01_as.pt", std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    seams_.make_backends = [this](const ServerOptions&) {
      std::vector<std::unique_ptr<Backend>> backends;
      backends.push_back(Fake(&gpu_, "torch", "cuda:0", 0));
      if (with_cpu_) backends.push_back(Fake(&cpu_, "native", "cpu", 1));
      return backends;
    };
    seams_.self_test = [this](const NetworkCatalog&, std::string_view, Batcher*) -> absl::StatusOr<SelfTestReport> {
      if (tests_++ == 0 && !first_test_.ok()) return first_test_;
      return SelfTestReport{};
    };
    seams_.machine = {2, int64_t{1} << 30, {}};
    seams_.on_device_lost = [this] { lost_ = true; };
  }
  ~ServerTest() override {
    server_.reset();
    fs::remove_all(folder_);
  }

  std::unique_ptr<Backend> Fake(FakeBackend** known, const char* name, const char* device, int slow) {
    auto backend = std::make_unique<FakeBackend>(name, device);
    *known = backend.get();
    const bool is_gpu = backend->device() != "cpu";
    backend->set_before_embed([this, slow, is_gpu](int network, auto) {
      if (!serving_ && network == slow) absl::SleepFor(absl::Milliseconds(2));
      return is_gpu && gpu_is_lost_ ? absl::UnavailableError("fell off the bus") : absl::OkStatus();
    });
    return backend;
  }

  absl::Status Start() {
    ServerOptions options;
    options.grpc_port = 0;
    options.model_repository = folder_;
    auto server = Server::Create(options, exposer_, seams_);
    if (!server.ok()) return server.status();
    server_ = *std::move(server);
    serving_ = true;
    channel_ = grpc::CreateChannel(server_->grpc_address(), grpc::InsecureChannelCredentials());
    return absl::OkStatus();
  }

  // Tags of a second of silence by that network.
  grpc::Status Call(const std::string& network) {
    v1::GetTagsRequest request;
    request.set_network(network);
    v1::Pcm& pcm = *request.add_clips()->mutable_pcm();
    pcm.set_encoding(v1::Pcm::ENCODING_LINEAR16);
    pcm.set_sample_rate_hertz(32000);
    pcm.set_samples(std::string(64000, '\0'));
    v1::GetTagsResponse response;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    return v1::EmbeddingService::NewStub(channel_)->GetTags(&context, request, &response);
  }
  HealthCheckResponse::ServingStatus Health() {
    grpc::ClientContext context;
    HealthCheckResponse response;
    EXPECT_TRUE(grpc::health::v1::Health::NewStub(channel_)->Check(&context, {}, &response).ok());
    return response.status();
  }
  static std::string Ready() { return HttpGet(exposer_->port(), "/readyz"); }
  static std::string Scrape() { return HttpGet(exposer_->port(), "/metrics"); }
  static std::string NetworkInfo(const std::string& network, const std::string& backend, const std::string& device) {
    return "hearwire_network_info{backend=\"" + backend + "\",device=\"" + device + "\",network=\"" + network +
           "\",precision=\"float32\"} 1\n";
  }

  static inline Exposer* exposer_ = nullptr;
  std::string folder_;
  ServerSeams seams_;
  FakeBackend* gpu_ = nullptr;
  FakeBackend* cpu_ = nullptr;
  bool with_cpu_ = true;
  int tests_ = 0;
  absl::Status first_test_;
  std::atomic<bool> serving_ = false;  // Nothing is slow any more.
  std::atomic<bool> gpu_is_lost_ = false;
  std::atomic<bool> lost_ = false;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(ServerTest, RunsEachNetworkWhereItIsFaster) {
  ASSERT_TRUE(Start().ok());
  const size_t gpu_batches = gpu_->batches().size();
  const size_t cpu_batches = cpu_->batches().size();
  EXPECT_TRUE(Call("mn01_as").ok());
  EXPECT_EQ(gpu_->batches().size(), gpu_batches + 1);
  EXPECT_EQ(cpu_->batches().size(), cpu_batches);
  EXPECT_TRUE(Call("hearwire_mn01").ok());
  EXPECT_EQ(gpu_->batches().size(), gpu_batches + 1);
  EXPECT_EQ(cpu_->batches().size(), cpu_batches + 1);
  EXPECT_THAT(Scrape(), AllOf(HasSubstr(NetworkInfo("mn01_as", "torch", "cuda:0")),
                              HasSubstr(NetworkInfo("hearwire_mn01", "native", "cpu")),
                              HasSubstr("hearwire_build_info{backend=\"torch\",device=\"cuda:0\""),
                              HasSubstr("hearwire_build_info{backend=\"native\",device=\"cpu\"")));
  EXPECT_THAT(Ready(), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("serving")));
  server_->EnterLameDuck();
  EXPECT_THAT(Ready(), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("stopping")));
  EXPECT_TRUE(server_->Drain(SteadyTime::Now() + absl::Seconds(20)));
  EXPECT_EQ(Call("mn01_as").error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServerTest, ServesOnTheCpuWhereTheGpuFailsItsTest) {
  first_test_ = absl::InternalError("value 9 is 0.3");
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(Health(), HealthCheckResponse::SERVING);
  const size_t cpu_batches = cpu_->batches().size();
  for (const char* network : {"mn01_as", "hearwire_mn01"}) EXPECT_TRUE(Call(network).ok());
  EXPECT_EQ(cpu_->batches().size(), cpu_batches + 2);
  EXPECT_THAT(Scrape(), AllOf(HasSubstr(NetworkInfo("mn01_as", "native", "cpu")),
                              HasSubstr(NetworkInfo("hearwire_mn01", "native", "cpu")), Not(HasSubstr("cuda"))));
}

TEST_F(ServerTest, DoesNotStartWithoutTheGpuThatWasAskedFor) {
  with_cpu_ = false;
  first_test_ = absl::InternalError("value 9 is 0.3");
  EXPECT_THAT(std::string(Start().message()), HasSubstr("cuda:0 cannot be used: value 9 is 0.3; --device=cpu"));
}

TEST_F(ServerTest, SaysThatAGpuIsLostOnceItServes) {
  ASSERT_TRUE(Start().ok());
  gpu_is_lost_ = true;
  EXPECT_TRUE(Call("hearwire_mn01").ok());
  EXPECT_FALSE(lost_);
  EXPECT_EQ(Call("mn01_as").error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(lost_);
  EXPECT_EQ(Health(), HealthCheckResponse::NOT_SERVING);
  EXPECT_THAT(Ready(), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("device lost")));
}

}  // namespace
}  // namespace hearwire
