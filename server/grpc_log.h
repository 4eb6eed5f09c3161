// gRPC's and protobuf's own messages in the program's log.

#ifndef HEARWIRE_SERVER_GRPC_LOG_H_
#define HEARWIRE_SERVER_GRPC_LOG_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "server/concurrency/steady_time.h"

namespace hearwire {

// From now on gRPC's errors are errors of the log, and the rest is at debug. gRPC has no warnings, and writes nothing
// but errors unless GRPC_VERBOSITY says more.
// What protobuf says of requests that it cannot read is at debug: their callers are told.
void TakeGrpcLog();

// What is logged of such a message. It may quote what a caller has sent: it is cut, and ends before anything that may
// be a token or a key. The log escapes it.
std::string ToLoggedText(std::string_view message);

// How many messages a caller may bring into the log. Policy without clocks; not thread-safe.
class LogBudget {
 public:
  static constexpr int kMessages = 20;
  static constexpr absl::Duration kPeriod = absl::Seconds(60);

  // Whether one may be written now.
  bool Take(SteadyTime now);
  // Those that were not, since this was asked last.
  int64_t TakeLeftOut();

 private:
  SteadyTime period_end_ = SteadyTime::InfinitePast();
  int left_ = 0;
  int64_t left_out_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_GRPC_LOG_H_
