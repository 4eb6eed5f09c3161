#include "client/error_details.h"

#include "absl/strings/cord.h"
#include "client/status_payloads.h"
#include "google/rpc/error_details.pb.h"

namespace hearwire::client {
namespace {

// Default values when there is no such payload, or when it cannot be read.
template <typename Detail>
Detail Read(const absl::Status& status, const char* type_url) {
  Detail detail;
  const auto payload = status.GetPayload(type_url);
  if (!payload || !detail.ParseFromString(std::string(*payload))) detail.Clear();
  return detail;
}

}  // namespace

std::vector<FieldViolation> FieldViolations(const absl::Status& status) {
  std::vector<FieldViolation> violations;
  const auto bad_request = Read<google::rpc::BadRequest>(status, kBadRequestPayload);
  for (const auto& violation : bad_request.field_violations()) {
    violations.push_back({violation.field(), violation.description()});
  }
  return violations;
}

std::string ErrorReason(const absl::Status& status) {
  return Read<google::rpc::ErrorInfo>(status, kErrorInfoPayload).reason();
}

std::map<std::string, std::string> ErrorMetadata(const absl::Status& status) {
  const auto info = Read<google::rpc::ErrorInfo>(status, kErrorInfoPayload);
  return {info.metadata().begin(), info.metadata().end()};
}

std::optional<absl::Duration> RetryDelay(const absl::Status& status) {
  const auto info = Read<google::rpc::RetryInfo>(status, kRetryInfoPayload);
  if (!info.has_retry_delay()) return std::nullopt;
  return absl::Seconds(info.retry_delay().seconds()) + absl::Nanoseconds(info.retry_delay().nanos());
}

std::string RequestId(const absl::Status& status) {
  const auto payload = status.GetPayload(kRequestIdPayload);
  return payload ? std::string(*payload) : "";
}

bool IsUnreachable(const absl::Status& status) { return status.GetPayload(kUnreachablePayload).has_value(); }

}  // namespace hearwire::client
