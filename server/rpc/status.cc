#include "server/rpc/status.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace hearwire {
namespace {

// Trailers are limited to 8 KiB by default, and some messages quote what a caller sent.
constexpr size_t kMaxMessageBytes = 1024;

std::string Shortened(std::string message) {
  if (message.size() <= kMaxMessageBytes) return message;
  size_t end = kMaxMessageBytes;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xc0) == 0x80) --end;  // Whole characters of UTF-8.
  message.resize(end);
  return message + "…";
}

}  // namespace

RpcStatus ToRpcStatus(const CallError& error, std::string_view field) {
  const std::string description = Shortened(std::string(error.status.message()));
  const std::string path(field);
  google::rpc::Status details;
  // absl::StatusCode and gRPC's codes are the same numbers.
  details.set_code(static_cast<int>(error.status.code()));
  details.set_message(path.empty() ? description : absl::StrCat(path, ": ", description));

  google::rpc::ErrorInfo info;
  info.set_reason(std::string(error.reason));
  info.set_domain(kErrorDomain);
  for (const auto& [name, value] : error.facts) (*info.mutable_metadata())[name] = value;
  details.add_details()->PackFrom(info);

  if (!path.empty()) {
    google::rpc::BadRequest bad_request;
    auto* violation = bad_request.add_field_violations();
    violation->set_field(path);
    violation->set_description(description);
    details.add_details()->PackFrom(bad_request);
  }

  RpcStatus result;
  if (error.never_retry) {
    result.pushback_ms = "-1";
  } else if (error.retry_after) {
    const int64_t milliseconds = std::max<int64_t>(absl::ToInt64Milliseconds(*error.retry_after), 1);
    result.pushback_ms = std::to_string(milliseconds);
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(milliseconds / 1000);
    retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(milliseconds % 1000 * 1000000));
    details.add_details()->PackFrom(retry);
  }
  result.status =
      grpc::Status(static_cast<grpc::StatusCode>(details.code()), details.message(), details.SerializeAsString());
  return result;
}

}  // namespace hearwire
