#include "server/rpc/trace_context.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "server/rpc/request_id.h"

namespace hearwire {
namespace {

// Where the parts begin, and how long all of version 00 is.
constexpr size_t kTraceId = 3;
constexpr size_t kSpanId = 36;
constexpr size_t kFlags = 53;
constexpr size_t kSize = 55;

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsZero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

std::string NewSpanId() {
  while (true) {
    std::string id = NewRequestId().substr(0, 16);
    if (!IsZero(id)) return id;
  }
}

}  // namespace

std::string TraceContext::Traceparent() const { return absl::StrCat("00-", trace_id, "-", span_id, "-", flags); }

std::optional<TraceContext> NewTraceContext(std::string_view traceparent) {
  if (traceparent.size() < kSize) return std::nullopt;
  const std::string_view version = traceparent.substr(0, 2);
  const bool known = version == "00";
  // A later version may have more behind another dash.
  if (traceparent.size() > kSize && (known || traceparent[kSize] != '-')) return std::nullopt;
  const std::string_view trace_id = traceparent.substr(kTraceId, 32);
  const std::string_view span_id = traceparent.substr(kSpanId, 16);
  const std::string_view flags = traceparent.substr(kFlags, 2);
  const bool dashed =
      traceparent[kTraceId - 1] == '-' && traceparent[kSpanId - 1] == '-' && traceparent[kFlags - 1] == '-';
  if (!dashed || version == "ff" || IsZero(trace_id) || IsZero(span_id)) return std::nullopt;
  for (const std::string_view part : {version, trace_id, span_id, flags}) {
    if (!IsHex(part)) return std::nullopt;
  }
  return TraceContext{std::string(trace_id), std::string(span_id), NewSpanId(), std::string(flags)};
}

}  // namespace hearwire
