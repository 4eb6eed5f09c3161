#include "server/tls/check_tls_material.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hearwire {
namespace {

template <auto kFree>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Bio = std::unique_ptr<BIO, FreeWith<BIO_free>>;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using Context = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;

absl::Status Wrong(const std::string& what, const std::string& why) {
  return absl::FailedPreconditionError(absl::StrCat(what, ": ", why));
}

Bio Open(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

std::string LastReason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "OpenSSL gives no reason" : reason;
}

// All certificates of a PEM file. Other parts, such as a key, are passed over.
absl::StatusOr<std::vector<Certificate>> ReadCertificates(const std::string& text, const std::string& name) {
  std::vector<Certificate> all;
  const Bio bio = Open(text);
  while (Certificate next{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) all.push_back(std::move(next));
  // Where the file ends OpenSSL finds no further first line. Anything else is a damaged certificate.
  const bool at_the_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!at_the_end) return Wrong(name, absl::StrCat("a certificate in it is damaged (", LastReason(), ")"));
  if (all.empty()) return Wrong(name, "there is no certificate in it; PEM is expected (-----BEGIN CERTIFICATE-----)");
  return all;
}

absl::StatusOr<Key> ReadKey(const std::string& text, const std::string& name) {
  bool is_encrypted = false;
  const auto note_encryption = [](char*, int, int, void* noted) {
    *static_cast<bool*>(noted) = true;
    return -1;
  };
  const Bio bio = Open(text);
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, note_encryption, &is_encrypted));
  if (key != nullptr) return key;
  if (is_encrypted) return Wrong(name, "the key is encrypted; it must be one without a password");
  return Wrong(name, "there is no private key in it that can be read; PEM is expected (-----BEGIN PRIVATE KEY-----)");
}

absl::Time ToTime(const ASN1_TIME* time) {
  std::tm parts = {};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? absl::FromTimeT(timegm(&parts)) : absl::InfinitePast();
}

std::string Day(absl::Time time) { return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone()); }

absl::Status CheckDates(const X509* certificate, const std::string& name, absl::Time now) {
  const absl::Time begin = ToTime(X509_get0_notBefore(certificate));
  const absl::Time end = ToTime(X509_get0_notAfter(certificate));
  if (now < begin) return Wrong(name, absl::StrCat("the certificate is not valid before ", Day(begin)));
  if (now > end) return Wrong(name, absl::StrCat("the certificate expired at ", Day(end)));
  return absl::OkStatus();
}

// As gRPC will take them: OpenSSL refuses keys that it finds too weak.
absl::Status CheckUse(X509* certificate, EVP_PKEY* key, const TlsMaterialNames& names) {
  const Context context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr) return absl::InternalError("OpenSSL cannot make a context");
  if (SSL_CTX_use_certificate(context.get(), certificate) != 1) return Wrong(names.chain, LastReason());
  if (SSL_CTX_use_PrivateKey(context.get(), key) != 1) return Wrong(names.key, LastReason());
  return absl::OkStatus();
}

absl::Status CheckRoots(const std::string& text, const std::string& name, absl::Time now) {
  const absl::StatusOr<std::vector<Certificate>> roots = ReadCertificates(text, name);
  if (!roots.ok()) return roots.status();
  absl::Status first;
  for (const Certificate& root : *roots) {
    absl::Status status = CheckDates(root.get(), name, now);
    if (status.ok()) return status;
    first.Update(status);
  }
  return first;
}

}  // namespace

absl::StatusOr<absl::Time> CheckTlsMaterial(const TlsMaterial& material, const TlsMaterialNames& names,
                                            absl::Time now) {
  ERR_clear_error();
  const absl::StatusOr<std::vector<Certificate>> chain = ReadCertificates(material.chain, names.chain);
  if (!chain.ok()) return chain.status();
  const absl::StatusOr<Key> key = ReadKey(material.key, names.key);
  if (!key.ok()) return key.status();
  if (X509_check_private_key(chain->front().get(), key->get()) != 1) {
    return Wrong(names.key, absl::StrCat("the key is not that of the certificate in ", names.chain));
  }
  // The check above compares public keys, which a file of a damaged private one may still hold.
  const KeyContext use(EVP_PKEY_CTX_new(key->get(), nullptr));
  if (use == nullptr || EVP_PKEY_pairwise_check(use.get()) != 1) {
    return Wrong(names.key, "the key is damaged: its private part is not that of its public one");
  }
  absl::Time expires = absl::InfiniteFuture();
  for (const Certificate& certificate : *chain) {
    if (absl::Status status = CheckDates(certificate.get(), names.chain, now); !status.ok()) return status;
    expires = std::min(expires, ToTime(X509_get0_notAfter(certificate.get())));
  }
  if (absl::Status status = CheckUse(chain->front().get(), key->get(), names); !status.ok()) return status;
  if (!material.client_roots.empty()) {
    if (absl::Status status = CheckRoots(material.client_roots, names.client_roots, now); !status.ok()) return status;
  }
  ERR_clear_error();
  return expires;
}

}  // namespace hearwire
