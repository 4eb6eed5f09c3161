#include "client/call_metadata.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace hearwire::client {
namespace {

using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;

bool IsVisible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

class Adder final : public Interceptor {
 public:
  explicit Adder(std::shared_ptr<const MetadataPairs> added) : added_(std::move(added)) {}
  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      auto& sent = *methods->GetSendInitialMetadata();
      for (const auto& pair : *added_) {
        if (!sent.contains(pair.first)) sent.insert(pair);
      }
    }
    methods->Proceed();
  }

 private:
  const std::shared_ptr<const MetadataPairs> added_;
};

class AdderFactory final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit AdderFactory(MetadataPairs added) : added_(std::make_shared<const MetadataPairs>(std::move(added))) {}
  Interceptor* CreateClientInterceptor(ClientRpcInfo* /*info*/) override { return new Adder(added_); }

 private:
  const std::shared_ptr<const MetadataPairs> added_;
};

}  // namespace

absl::Status CheckMetadata(const ClientOptions& options) {
  if (!IsVisible(options.token)) {
    return absl::InvalidArgumentError("the token has blanks, line breaks or other characters that no header can have");
  }
  return CheckMetadata(options.metadata);
}

absl::Status CheckMetadata(const MetadataPairs& pairs) {
  for (const auto& [name, value] : pairs) {
    const bool named = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_' || c == '.';
    });
    if (!named || name.starts_with("grpc-")) {
      return absl::InvalidArgumentError(
          absl::StrCat("metadata \"", name,
                       "\": a name of lower-case letters, digits or any of \"-_.\" would be right, not grpc-…"));
    }
    const bool plain = std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c < 0x7f; });
    if (!plain && !name.ends_with("-bin")) {
      return absl::InvalidArgumentError(absl::StrCat(
          "metadata \"", name, "\": its value must be printable ASCII; other bytes go under a name …-bin"));
    }
  }
  return absl::OkStatus();
}

std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> MetadataInterceptors(
    const ClientOptions& options) {
  MetadataPairs added = options.metadata;
  if (!options.token.empty()) added.emplace_back("authorization", absl::StrCat("Bearer ", options.token));
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> factories;
  if (!added.empty()) factories.push_back(std::make_unique<AdderFactory>(std::move(added)));
  return factories;
}

}  // namespace hearwire::client
