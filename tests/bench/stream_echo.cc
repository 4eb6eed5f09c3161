// What a live stream costs gRPC alone: a server that answers each piece with as many rows of zeros as it makes known.
//
//   stream_echo COLUMNS      of a row; prints "gRPC listening on 127.0.0.1:PORT", ends with its standard input

#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "hearwire/v1/embedding.grpc.pb.h"

namespace hearwire {
namespace {

constexpr size_t kBytesPerRow = 3200;  // 50 ms of 16 bits at 32 kHz.

class Echo final : public grpc::ServerBidiReactor<v1::StreamEmbeddingsRequest, v1::StreamEmbeddingsResponse> {
 public:
  explicit Echo(int columns) : columns_(columns) { StartRead(&request_); }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    const size_t rows = request_.samples().size() / kBytesPerRow;
    if (rows == 0) return StartRead(&request_);
    v1::Matrix& matrix = *response_.mutable_timestamps()->mutable_embeddings();
    matrix.set_rows(static_cast<uint32_t>(rows));
    matrix.set_columns(static_cast<uint32_t>(columns_));
    matrix.mutable_data()->assign(rows * static_cast<size_t>(columns_) * sizeof(float), '\0');
    StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  const int columns_;
  v1::StreamEmbeddingsRequest request_;
  v1::StreamEmbeddingsResponse response_;
};

class Service final : public v1::EmbeddingService::CallbackService {
 public:
  explicit Service(int columns) : columns_(columns) {}
  grpc::ServerBidiReactor<v1::StreamEmbeddingsRequest, v1::StreamEmbeddingsResponse>* StreamEmbeddings(
      grpc::CallbackServerContext* /*context*/) override {
    return new Echo(columns_);
  }

 private:
  const int columns_;
};

int Run(int columns) {
  Service service(columns);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) return 1;
  std::cout << "gRPC listening on 127.0.0.1:" << port << std::endl;
  while (std::cin.get() != EOF) {
  }
  server->Shutdown(std::chrono::system_clock::now());
  return 0;
}

}  // namespace
}  // namespace hearwire

int main(int argc, char** argv) {
  const int columns = argc == 2 ? std::atoi(argv[1]) : 0;
  if (columns < 1) {
    std::fprintf(stderr, "stream_echo COLUMNS\n");
    return 2;
  }
  return hearwire::Run(columns);
}
