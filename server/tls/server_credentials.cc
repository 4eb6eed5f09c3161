#include "server/tls/server_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpcpp/security/auth_metadata_processor.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

namespace hearwire {
namespace {

// What one gRPC server has last been given.
struct Fetcher {
  std::shared_ptr<TlsStore> store;
  std::atomic<int64_t> given = 0;
};

// Called by gRPC for each handshake, perhaps on several threads at once. It keeps what it has where nothing is new.
grpc_ssl_certificate_config_reload_status Fetch(void* fetcher_pointer, grpc_ssl_server_certificate_config** config) {
  auto* fetcher = static_cast<Fetcher*>(fetcher_pointer);
  const TlsStore::Current current = fetcher->store->current();
  if (fetcher->given.exchange(current.generation) == current.generation) {
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  }
  const grpc_ssl_pem_key_cert_pair pair = {current.material->key.c_str(), current.material->chain.c_str()};
  // Some certificates must stand there, or gRPC ends the process, also where no client is asked for one.
  const std::string& roots =
      current.material->client_roots.empty() ? current.material->chain : current.material->client_roots;
  *config = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

class FetchingCredentials final : public grpc::ServerCredentials {
 public:
  explicit FetchingCredentials(std::shared_ptr<TlsStore> store) : fetcher_{std::move(store)} {
    const auto request = fetcher_.store->asks_for_client_certificate()
                             ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                             : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
    credentials_ = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(request, Fetch, &fetcher_));
  }
  ~FetchingCredentials() override { grpc_server_credentials_release(credentials_); }

  // Nobody here has one: callers are identified by the services' door.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  Fetcher fetcher_;
  grpc_server_credentials* credentials_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> TlsServerCredentials(std::shared_ptr<TlsStore> store) {
  return std::make_shared<FetchingCredentials>(std::move(store));
}

}  // namespace hearwire
