// gRPC's side of TLS: every handshake takes what a TlsStore holds at that moment.
//
// gRPC 1.51 can follow files itself (experimental::FileWatcherCertificateProvider), but then every new handshake fails
// while they are bad or half renewed. Its C core can ask a function at each handshake instead
// (grpc_ssl_server_credentials_create_options_using_config_fetcher), and goes on with what it has where nothing is new:
// no key is written to disk, and nothing is seen half. The C++ API has no name for it, so a small class of ours stands
// between the two.

#ifndef HEARWIRE_SERVER_TLS_SERVER_CREDENTIALS_H_
#define HEARWIRE_SERVER_TLS_SERVER_CREDENTIALS_H_

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "server/tls/tls_store.h"

namespace hearwire {

// TLS 1.2 and 1.3. A connection keeps what it was made with. Where the store has roots for clients, those must show a
// certificate that one of these has signed. They must outlive the server.
std::shared_ptr<grpc::ServerCredentials> TlsServerCredentials(std::shared_ptr<TlsStore> store);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_TLS_SERVER_CREDENTIALS_H_
