#include "server/rpc/door.h"

#include <grpc/grpc_security_constants.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hearwire/admin/v1/admin.pb.h"
#include "hearwire/v1/embedding.pb.h"
#include "inference/open_inference.pb.h"
#include "server/rpc/caller_name.h"

namespace hearwire {
namespace {

// As gRPC has names in metadata: lower case.
constexpr char kAuthorization[] = "authorization";

constexpr absl::Duration kLeastRetryDelay = absl::Milliseconds(50);

const google::protobuf::ServiceDescriptor& AdminMethods() {
  return *admin::v1::ReloadRequest::descriptor()->file()->service(0);
}

std::vector<std::string_view> Values(const grpc::CallbackServerContext& context, const std::string& key) {
  std::vector<std::string_view> values;
  const auto [begin, end] = context.client_metadata().equal_range(key);
  for (auto found = begin; found != end; ++found) values.emplace_back(found->second.data(), found->second.size());
  return values;
}

// The name in the certificate that gRPC has verified, the most telling first; empty where there is none.
std::string CertificateName(const grpc::CallbackServerContext& context) {
  const std::shared_ptr<const grpc::AuthContext> known = context.auth_context();
  if (known == nullptr || !known->IsPeerAuthenticated()) return "";
  for (const char* property :
       {GRPC_PEER_SPIFFE_ID_PROPERTY_NAME, GRPC_PEER_URI_PROPERTY_NAME, GRPC_PEER_DNS_PROPERTY_NAME,
        GRPC_PEER_EMAIL_PROPERTY_NAME, GRPC_X509_CN_PROPERTY_NAME}) {
    const std::vector<grpc::string_ref> values = known->FindPropertyValues(property);
    if (!values.empty()) return {values.front().data(), values.front().size()};
  }
  return "";
}

// "10.0.0.7", "unix:1000"; "unix" where the uid is not known.
std::string AddressOf(const grpc::CallbackServerContext& context) {
  std::string address = CallerName(context.peer());
  if (address != "unix") return address;
  const std::shared_ptr<const grpc::AuthContext> known = context.auth_context();
  if (known == nullptr) return address;
  const std::vector<grpc::string_ref> uids = known->FindPropertyValues(kUidProperty);
  if (!uids.empty()) absl::StrAppend(&address, ":", absl::string_view(uids.front().data(), uids.front().size()));
  return address;
}

RequestFault ToFault(const AccessDenied& denied) {
  switch (denied.reason) {
    case AccessDenied::Reason::kTokenMissing:
      return {{.status = absl::UnauthenticatedError(denied.message), .reason = reason::kTokenMissing}, ""};
    case AccessDenied::Reason::kTokenUnknown:
      return {{.status = absl::UnauthenticatedError(denied.message), .reason = reason::kTokenUnknown}, ""};
    case AccessDenied::Reason::kNotPermitted:
      break;
  }
  return {{.status = absl::PermissionDeniedError(denied.message), .reason = reason::kNotPermitted}, ""};
}

std::optional<RequestFault> ToFault(const std::string& caller, const std::optional<CallerMeter::OverLimit>& over) {
  if (!over) return std::nullopt;
  const std::string limit(over->limit);
  const absl::Duration retry_after = std::max(over->retry_after, kLeastRetryDelay);
  return RequestFault{{.status = absl::ResourceExhaustedError(absl::StrCat(
                           caller, " has used up its limit of ", over->per_minute, " ",
                           limit == "audio_seconds" ? "seconds of audio" : limit, " a minute: try again in ",
                           absl::FormatDuration(absl::Ceil(retry_after, absl::Milliseconds(1))))),
                       .reason = reason::kCallerLimit,
                       .retry_after = retry_after,
                       .facts = {{"limit", limit}, {"per_minute", absl::StrCat(over->per_minute)}}},
                      ""};
}

}  // namespace

std::vector<std::string> ServiceMethods() {
  std::vector<std::string> methods;
  for (const google::protobuf::ServiceDescriptor* service :
       {v1::GetTagsRequest::descriptor()->file()->service(0),
        inference::ModelInferRequest::descriptor()->file()->service(0), &AdminMethods()}) {
    for (int i = 0; i < service->method_count(); ++i) methods.push_back(service->method(i)->name());
  }
  return methods;
}

std::variant<Caller, RequestFault> Door::Decide(const grpc::CallbackServerContext& context, std::string_view method,
                                                Presented::Purpose purpose) const {
  const std::string address = AddressOf(context);
  const std::string certificate_name = options_.has_client_certificates ? CertificateName(context) : "";
  Presented presented = {.method = method,
                         .purpose = purpose,
                         .address = address,
                         .certificate_name = certificate_name,
                         .authorization = Values(context, kAuthorization)};
  if (policy_.trusts_proxies()) presented.proxy_names = Values(context, options_.caller_header);
  std::variant<Caller, AccessDenied> decided = policy_.Decide(presented);
  if (const auto* denied = std::get_if<AccessDenied>(&decided)) return ToFault(*denied);
  return std::move(std::get<Caller>(decided));
}

std::variant<Caller, RequestFault> Door::Enter(const grpc::CallbackServerContext& context,
                                               std::string_view method) const {
  const bool is_admin = AdminMethods().FindMethodByName(std::string(method)) != nullptr;
  return Decide(context, method, is_admin ? Presented::Purpose::kAdmin : Presented::Purpose::kService);
}

std::optional<RequestFault> Door::EnterHealth(const grpc::CallbackServerContext& context,
                                              std::string_view method) const {
  std::variant<Caller, RequestFault> decided = Decide(context, method, Presented::Purpose::kHealth);
  if (auto* fault = std::get_if<RequestFault>(&decided)) return std::move(*fault);
  return std::nullopt;
}

std::optional<RequestFault> Door::TakeCall(const Caller& caller, int64_t bytes) {
  return ToFault(caller.name, meter_.TakeCall(caller, bytes, SteadyTime::Now()));
}

std::optional<RequestFault> Door::Take(const Caller& caller, int64_t bytes, absl::Duration audio) {
  return ToFault(caller.name, meter_.Take(caller, bytes, audio, SteadyTime::Now()));
}

}  // namespace hearwire
