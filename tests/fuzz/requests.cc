// Requests of every method, through gRPC to the service in this process and back. The backend is a fake, and audio
// files are the target decoders': this is about messages, and what becomes of calls.

#include <google/protobuf/message.h>
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/fuzz/message_mutator.h"
#include "tests/fuzz/request_bytes.h"
#include "tests/server/rpc/service_harness.h"

namespace hearwire {
namespace {

// The harness keeps what tests look at, so it is made anew after so many.
constexpr int kCallsOfAService = 5000;

ServiceHarness::Options Bounded() {
  ServiceHarness::Options options;
  options.listens = true;  // gRPC's transport without sockets loses the status of a stream whose client still sends.
  options.batcher.queue.max_queue_delay = absl::ZeroDuration();
  options.pipeline.audio.max_decoded = absl::Seconds(20);
  options.service.max_decoded = absl::Seconds(20);
  options.service.max_clips = 8;
  options.service.streams.max_piece_bytes = 10000;
  const int inputs = FindConfig(kEmbeddedConfigName)->embedding_size();
  HeadFile rows = MakeHeadFile(kEmbeddedConfigName, {inputs, 3});
  rows.metadata["kind"] = "timestamps";
  options.heads = {{"scenes", MakeHeadFile(kEmbeddedConfigName, {inputs, 3, 2})}, {"rows", rows}};
  return options;
}

[[noreturn]] void Complain(const char* method, const std::string& what) {
  std::cerr << method << ": " << what << std::endl;
  std::abort();
}

grpc::ByteBuffer Buffer(std::string_view bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size());
  return {&slice, 1};
}

// A call that fails says why in a way that programs read, and is never the server's fault.
void CheckStatus(const char* method, const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return;
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      break;
    default:
      Complain(method, "code " + std::to_string(status.error_code()) + ", " + status.error_message());
  }
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  if (status.error_message().empty() || !details.ParseFromString(status.error_details()) ||
      details.details_size() == 0 || !details.details(0).UnpackTo(&info) || info.reason().empty()) {
    Complain(method, "no reason beside: " + status.error_message());
  }
}

std::unique_ptr<google::protobuf::Message> Read(const FuzzedMethod& method, grpc::ByteBuffer* reply) {
  std::unique_ptr<google::protobuf::Message> message(method.response->New());
  grpc::Slice bytes;
  if (!reply->DumpToSingleSlice(&bytes).ok() ||
      !message->ParseFromArray(bytes.begin(), static_cast<int>(bytes.size()))) {
    Complain(method.name, "its reply is no message");
  }
  return message;
}

class RequestSender {
 public:
  RequestSender() : harness_(Bounded()), stub_(harness_.NewConnectionChannel()) {}
  ~RequestSender() {
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  void Call(const FuzzedMethod& method, std::string_view bytes) {
    grpc::ClientContext context;
    auto call = stub_.PrepareUnaryCall(&context, Path(method), Buffer(bytes), &queue_);
    call->StartCall();
    grpc::ByteBuffer reply;
    grpc::Status status;
    call->Finish(&reply, &status, this);
    Wait();
    CheckStatus(method.name, status);
    if (!status.ok()) return;
    // As many answers as clips, where the answers are counted by clips.
    std::unique_ptr<google::protobuf::Message> request(method.request->New());
    request->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
    const auto answer = Read(method, &reply);
    const auto* asked = method.request->GetDescriptor()->FindFieldByName("clips");
    const auto* answered = method.response->GetDescriptor()->FindFieldByName("clips");
    if (asked != nullptr && answered != nullptr &&
        request->GetReflection()->FieldSize(*request, asked) != answer->GetReflection()->FieldSize(*answer, answered)) {
      Complain(method.name, "not an answer for each clip");
    }
  }

  void Stream(const FuzzedMethod& method, const std::vector<std::string>& messages) {
    grpc::ClientContext context;
    auto call = stub_.PrepareCall(&context, Path(method), &queue_);
    call->StartCall(this);
    bool goes_on = Wait();
    for (size_t i = 0; i < messages.size() && goes_on; ++i) {
      call->Write(Buffer(messages[i]), this);
      goes_on = Wait();
    }
    if (goes_on) {
      call->WritesDone(this);
      Wait();
    }
    bool has_summary = false;
    for (;;) {
      grpc::ByteBuffer reply;
      call->Read(&reply, this);
      if (!Wait()) break;
      if (has_summary) Complain(method.name, "something after the summary");
      const auto event = Read(method, &reply);
      has_summary = static_cast<const v1::StreamEmbeddingsResponse&>(*event).has_summary();
    }
    grpc::Status status;
    call->Finish(&status, this);
    Wait();
    CheckStatus(method.name, status);
    if (status.ok() != has_summary) Complain(method.name, "a summary without OK, or OK without a summary");
  }

 private:
  static std::string Path(const FuzzedMethod& method) {
    return std::string("/hearwire.v1.EmbeddingService/") + method.name;
  }
  // For the one operation that is under way.
  bool Wait() {
    void* tag = nullptr;
    bool ok = false;
    if (!queue_.Next(&tag, &ok)) std::abort();
    return ok;
  }

  ServiceHarness harness_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
};

}  // namespace
}  // namespace hearwire

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  google::protobuf::SetLogHandler(nullptr);  // It would speak of every text that is no UTF-8.
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* sender = new std::unique_ptr<hearwire::RequestSender>;  // Never destroyed: gRPC's threads outlive main.
  static int calls = 0;
  if (size == 0) return 0;
  if (calls++ % hearwire::kCallsOfAService == 0) {
    sender->reset();
    *sender = std::make_unique<hearwire::RequestSender>();
  }
  const size_t which = data[0] % hearwire::FuzzedMethods().size();
  const hearwire::FuzzedMethod& method = hearwire::FuzzedMethods()[which];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (which == hearwire::kStreamMethod) {
    (*sender)->Stream(method, hearwire::SplitStream(bytes));
  } else {
    (*sender)->Call(method, bytes);
  }
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  std::minstd_rand random(seed);
  if (size == 0 || random() % 8 == 0) return LLVMFuzzerMutate(data, size, max_size);  // Also what is no message.
  const size_t which = data[0] % hearwire::FuzzedMethods().size();
  std::vector<std::string> messages = {std::string(data + 1, data + size)};
  if (which == hearwire::kStreamMethod) messages = hearwire::SplitStream(messages.front());
  if (messages.empty()) messages.emplace_back();
  if (which == hearwire::kStreamMethod && random() % 8 == 0) messages.push_back(messages[random() % messages.size()]);
  std::string& changed = messages[random() % messages.size()];
  std::unique_ptr<google::protobuf::Message> message(hearwire::FuzzedMethods()[which].request->New());
  message->ParseFromString(changed);  // What can be read of it.
  hearwire::MutateMessage(message.get(), max_size / 2, &random);
  changed = message->SerializeAsString();
  const std::string bytes = which == hearwire::kStreamMethod ? hearwire::JoinStream(messages) : messages.front();
  if (bytes.size() + 1 > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data + 1, bytes.data(), bytes.size());
  return bytes.size() + 1;
}
