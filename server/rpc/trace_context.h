// W3C trace context: a caller's traceparent, and this server's part of the trace.
//
// https://www.w3.org/TR/trace-context-1/: "00-" TRACE-ID "-" SPAN-ID "-" FLAGS, in lower-case hexadecimal digits.

#ifndef HEARWIRE_SERVER_RPC_TRACE_CONTEXT_H_
#define HEARWIRE_SERVER_RPC_TRACE_CONTEXT_H_

#include <optional>
#include <string>
#include <string_view>

namespace hearwire {

// Metadata key, of requests and of replies' trailers.
inline constexpr char kTraceparentKey[] = "traceparent";

struct TraceContext {
  std::string trace_id;        // 32 digits.
  std::string parent_span_id;  // 16 digits: the caller's.
  std::string span_id;         // 16 digits: of the call here, made by NewTraceContext.
  std::string flags;           // 2 digits.

  // For whoever goes on from here: the call's span is the parent.
  std::string Traceparent() const;
};

// What a caller's traceparent makes of a call; nothing where it is none. A version of the future is read as far as this
// one goes. Thread-safe.
std::optional<TraceContext> NewTraceContext(std::string_view traceparent);

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_RPC_TRACE_CONTEXT_H_
