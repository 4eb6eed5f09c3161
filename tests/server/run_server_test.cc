// The life of the program, from outside: a process of its own, real ports, real signals.

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "hearwire/v1/embedding.grpc.pb.h"
#include "tests/server/fifo.h"
#include "tests/server/notify_socket.h"
#include "tests/server/server_process.h"

namespace hearwire {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckResponse;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using Clock = std::chrono::steady_clock;

// What a server of the test is reached by.
class Caller {
 public:
  explicit Caller(const std::string& address)
      : channel_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
        service_(v1::EmbeddingService::NewStub(channel_)),
        health_(Health::NewStub(channel_)) {}

  HealthCheckResponse::ServingStatus Check() {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    HealthCheckResponse response;
    const grpc::Status status = health_->Check(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.status();
  }

  // Tags of a second of silence, on a thread of its own.
  std::future<grpc::Status> Call() {
    return std::async(std::launch::async, [this] {
      v1::GetTagsRequest request;
      v1::Pcm& pcm = *request.add_clips()->mutable_pcm();
      pcm.set_encoding(v1::Pcm::ENCODING_LINEAR16);
      pcm.set_sample_rate_hertz(32000);
      pcm.set_samples(std::string(64000, '\0'));
      v1::GetTagsResponse response;
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
      return service_->GetTags(&context, request, &response);
    });
  }

  grpc::Status CallUnknownMethod() {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const grpc::Slice nothing;
    const auto call =
        stub.PrepareUnaryCall(&context, "/hearwire.v1.EmbeddingService/Nothing", grpc::ByteBuffer(&nothing, 1), &queue);
    call->StartCall();
    grpc::ByteBuffer reply;
    grpc::Status status;
    call->Finish(&reply, &status, nullptr);
    void* tag;
    bool ok;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    return status;
  }

  Health::Stub& health() { return *health_; }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::EmbeddingService::Stub> service_;
  std::unique_ptr<Health::Stub> health_;
};

// A Watch stream of the whole server.
class Watch {
 public:
  explicit Watch(Health::Stub* stub) : reader_(stub->Watch(&context_, {})) {}
  std::optional<HealthCheckResponse::ServingStatus> Next() {
    HealthCheckResponse response;
    if (!reader_->Read(&response)) return std::nullopt;
    return response.status();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader_;
};

class RunServerTest : public testing::Test {
 protected:
  RunServerTest() { signal(SIGPIPE, SIG_IGN); }  // A server that ended does not read its FIFO.

  // Starts the staged server on free ports; it may not serve yet.
  void Start(std::vector<std::string> arguments, std::map<std::string, std::string> environment = {}) {
    arguments.insert(arguments.begin(), {"--grpc-port=0", "--metrics-port=0", "--workers=1"});
    process_.emplace(ServerProcess::Options{STAGED_SERVER, arguments, environment});
  }
  // Waits until it serves, and connects.
  void Connect() {
    const std::string line = process_->ReadOutputLine();
    const std::string prefix = "gRPC listening on ";
    ASSERT_THAT(line, StartsWith(prefix)) << process_->ReadErrors();
    address_ = line.substr(prefix.size());
    ASSERT_THAT(process_->ReadOutputLine(), StartsWith("metrics listening on 127.0.0.1:"));
    caller_.emplace(address_);
  }

  std::optional<ServerProcess> process_;
  std::string address_;
  std::optional<Caller> caller_;
};

TEST_F(RunServerTest, SaysWhereItListensAndServes) {
  Start({});
  Connect();
  EXPECT_EQ(caller_->Check(), HealthCheckResponse::SERVING);
  EXPECT_TRUE(caller_->Call().get().ok());
  EXPECT_THAT(process_->WaitForError(" options "), AllOf(HasSubstr("workers=1"), HasSubstr("max-queue-delay=5ms")));
  process_->Signal(SIGKILL);
  EXPECT_THAT(process_->ReadOutputLine(), IsEmpty()) << "two lines and no more";
}

TEST_F(RunServerTest, ServesOnlyWhenTheSelfTestHasPassed) {
  Fifo self_test;
  Start({"--log-format=text"}, {{"STAGED_SELF_TEST", self_test.path()}});
  const std::string line = process_->WaitForError("listening; testing");
  Caller early(line.substr(line.find("grpc=") + 5));
  EXPECT_EQ(early.Check(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(early.Call().get().error_code(), grpc::StatusCode::UNAVAILABLE);
  self_test.Write("ok");
  Connect();
  EXPECT_EQ(caller_->Check(), HealthCheckResponse::SERVING);
}

TEST_F(RunServerTest, DoesNotServeWhenTheSelfTestFails) {
  Fifo self_test;
  Start({}, {{"STAGED_SELF_TEST", self_test.path()}});
  self_test.Write("wrong-numbers");
  EXPECT_EQ(process_->Wait(), 1);
  EXPECT_THAT(process_->ReadErrors(), HasSubstr("hearwire-server: wrong-numbers\n"));
  EXPECT_THAT(process_->ReadOutputLine(), IsEmpty());
}

TEST_F(RunServerTest, TakesCallsAsALameDuckAndThenEndsAtOnceWhenIdle) {
  Start({"--lame-duck=1s", "--drain-deadline=60s"});
  Connect();
  Watch watch(&caller_->health());
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  const Clock::time_point stopped = Clock::now();
  process_->Signal(SIGTERM);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_TRUE(caller_->Call().get().ok());
  EXPECT_EQ(caller_->CallUnknownMethod().error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(watch.Next(), std::nullopt) << "an open stream does not hold the server up";
  EXPECT_EQ(process_->Wait(), 0);
  EXPECT_GE(Clock::now() - stopped, std::chrono::seconds(1));
  EXPECT_LT(Clock::now() - stopped, std::chrono::seconds(4));
}

TEST_F(RunServerTest, FinishesCallsInFlight) {
  Fifo embed;
  Start({"--lame-duck=0", "--drain-deadline=60s"}, {{"STAGED_EMBED", embed.path()}});
  Connect();
  std::future<grpc::Status> call = caller_->Call();
  std::shared_ptr<int> held = embed.Hold();
  process_->Signal(SIGINT);
  process_->WaitForError("stopping");
  held.reset();
  EXPECT_TRUE(call.get().ok());
  const Clock::time_point answered = Clock::now();
  EXPECT_EQ(process_->Wait(), 0);
  EXPECT_LT(Clock::now() - answered, std::chrono::seconds(3)) << "an idle connection does not hold the server up";
}

TEST_F(RunServerTest, FailsWhatIsLeftAtTheDrainDeadline) {
  Fifo embed;
  Start({"--lame-duck=0", "--drain-deadline=200ms"}, {{"STAGED_EMBED", embed.path()}});
  Connect();
  std::future<grpc::Status> running = caller_->Call();
  const std::shared_ptr<int> held = embed.Hold();
  std::future<grpc::Status> waiting = caller_->Call();
  process_->Signal(SIGTERM);
  EXPECT_EQ(waiting.get().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_FALSE(running.get().ok());
  EXPECT_EQ(process_->Wait(), 0) << "although a batch never ends";
}

TEST_F(RunServerTest, EndsAtOnceOnASecondSignal) {
  Start({"--lame-duck=60s"});
  Connect();
  Watch watch(&caller_->health());
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  process_->Signal(SIGTERM);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  // Sooner it would be the same one.
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  process_->Signal(SIGINT);
  EXPECT_EQ(process_->Wait(), 128 + SIGINT);
}

TEST_F(RunServerTest, TakesASignalThatIsDeliveredTwiceForOne) {
  Start({"--lame-duck=1s"});
  Connect();
  Watch watch(&caller_->health());
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  // Two signals, for one that waits swallows its like.
  process_->Signal(SIGTERM);
  process_->Signal(SIGINT);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_TRUE(caller_->Call().get().ok()) << "a lame duck still";
  EXPECT_EQ(process_->Wait(), 0);
}

TEST_F(RunServerTest, ReloadsOnAHangup) {
  Start({});
  Connect();
  process_->Signal(SIGHUP);
  process_->WaitForError("reloading");
  process_->WaitForError("reloaded");
  EXPECT_EQ(caller_->Check(), HealthCheckResponse::SERVING);
}

TEST_F(RunServerTest, TellsTheServiceManagerWhatItDoes) {
  NotifySocket manager(absl::StrCat("@hearwire-run-server-", getpid()));
  Fifo self_test;
  Start({"--lame-duck=0"}, {{"NOTIFY_SOCKET", manager.name()}, {"STAGED_SELF_TEST", self_test.path()}});
  process_->WaitForError("listening; testing");
  EXPECT_EQ(manager.Read(/*now=*/true), "");
  self_test.Write("ok");
  Connect();
  const std::string serving = "READY=1\nSTATUS=serving on " + address_ + ", metrics on 127.0.0.1:";
  EXPECT_THAT(manager.Read(), StartsWith(serving));
  process_->Signal(SIGHUP);
  EXPECT_THAT(manager.Read(), AllOf(StartsWith("RELOADING=1\nMONOTONIC_USEC="), HasSubstr("\nSTATUS=reloading")));
  EXPECT_THAT(manager.Read(), StartsWith(serving));
  process_->Signal(SIGTERM);
  EXPECT_EQ(manager.Read(), "STOPPING=1\nSTATUS=finishing the calls in flight");
  EXPECT_EQ(process_->Wait(), 0);
  EXPECT_EQ(manager.Read(/*now=*/true), "");

  Start({"--host=256.0.0.1"}, {{"NOTIFY_SOCKET", manager.name()}});
  EXPECT_THAT(manager.Read(), StartsWith("STATUS=cannot start: "));
  EXPECT_EQ(process_->Wait(), 1);
}

TEST_F(RunServerTest, ServesWithAWarningWhenTheServiceManagerCannotBeTold) {
  Start({}, {{"NOTIFY_SOCKET", "run/notify"}});
  EXPECT_THAT(process_->WaitForError("service manager"), HasSubstr("NOTIFY_SOCKET=run/notify is neither a path"));
  Connect();
  EXPECT_EQ(caller_->Check(), HealthCheckResponse::SERVING);
}

TEST_F(RunServerTest, StopsWhileItStarts) {
  Fifo backend;
  Start({}, {{"STAGED_BACKEND", backend.path()}});
  const std::shared_ptr<int> held = backend.Hold();
  process_->Signal(SIGTERM);
  EXPECT_EQ(process_->Wait(), 0);
  EXPECT_THAT(process_->ReadErrors(), HasSubstr("stopped while starting"));
}

TEST_F(RunServerTest, EndsWithItsOwnCodeWhenTheDeviceIsLost) {
  Fifo embed;
  Start({"--lame-duck=60s", "--drain-deadline=60s"}, {{"STAGED_EMBED", embed.path()}});
  Connect();
  Watch watch(&caller_->health());
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  std::future<grpc::Status> call = caller_->Call();
  embed.Write("gone");
  const Clock::time_point lost = Clock::now();
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_LT(Clock::now() - lost, std::chrono::seconds(1));
  EXPECT_EQ(call.get().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(process_->Wait(), 70);
}

TEST_F(RunServerTest, SaysInOneLineThatAPortIsTaken) {
  Start({});
  Connect();
  const std::string port = address_.substr(address_.find(':') + 1);
  for (const std::string flag : {"--grpc-port=", "--metrics-port="}) {
    ServerProcess second(
        {STAGED_SERVER, {"--log-level=error", "--grpc-port=0", "--metrics-port=0", flag + port}, {}, false});
    EXPECT_EQ(second.Wait(), 1);
    const std::string errors = second.ReadErrors();
    EXPECT_THAT(errors, AllOf(StartsWith("hearwire-server: cannot listen on " + address_), HasSubstr("taken")));
    EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1) << errors;
  }
  EXPECT_EQ(caller_->Check(), HealthCheckResponse::SERVING);
}

TEST_F(RunServerTest, SaysInOneLineWhatIsWrongWithItsOptions) {
  for (const std::string argument : {"--default-config=mn10_nothing", "--networks=mn04_as", "--host=256.0.0.1"}) {
    Start({"--log-level=error", argument});
    EXPECT_EQ(process_->Wait(), 1) << argument;
    const std::string errors = process_->ReadErrors();
    EXPECT_THAT(errors, StartsWith("hearwire-server: ")) << argument;
    EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1) << errors;
  }
}

TEST_F(RunServerTest, RefusesAnUnknownDefaultConfigBeforeItLoadsNetworks) {
  Fifo backend;  // Nobody writes to it: making the backend would not end.
  Start({"--default-config=mn10_nothing"}, {{"STAGED_BACKEND", backend.path()}});
  EXPECT_EQ(process_->Wait(), 1);
  EXPECT_THAT(process_->ReadErrors(), HasSubstr("hearwire-server: --default-config: no config is called"));
}

TEST_F(RunServerTest, EndsWithoutAWarningWhenIdleAndGivenNoTime) {
  Start({"--lame-duck=0", "--drain-deadline=0"});
  Connect();
  process_->Signal(SIGTERM);
  EXPECT_EQ(process_->Wait(), 0);
  EXPECT_THAT(process_->ReadErrors(), Not(HasSubstr("warning")));
}

TEST_F(RunServerTest, RunsWithoutStandardStreams) {
  Start({});
  Connect();
  const std::string port = address_.substr(address_.find(':') + 1);
  process_->Signal(SIGKILL);
  process_->Wait();
  ServerProcess silent({STAGED_SERVER, {"--grpc-port=" + port, "--metrics-port=0", "--lame-duck=0"}, {}, true});
  Caller caller(address_);
  while (caller.Check() != HealthCheckResponse::SERVING) {
  }
  EXPECT_TRUE(caller.Call().get().ok());
  silent.Signal(SIGTERM);
  EXPECT_EQ(silent.Wait(), 0);
}

}  // namespace
}  // namespace hearwire
