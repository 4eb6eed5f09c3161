// The HTTP server of the metrics port, for Prometheus, load balancers and people.
//
//   GET /metrics   Prometheus' text
//   GET /healthz   200 as long as the process answers
//   GET /readyz    200 while the server takes calls, as its gRPC health says SERVING; else 503, and what it does
//   instead GET /          a page for people, which shows what the others say GET /errors.json   the last calls that
//   failed, for that page
//
// HEAD answers the same without a body. Other methods are 405, other paths 404. Nobody has to say who they are: the
// port is for the operator's network.

#ifndef HEARWIRE_SERVER_TELEMETRY_EXPOSER_H_
#define HEARWIRE_SERVER_TELEMETRY_EXPOSER_H_

#include <prometheus/collectable.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/concurrency/mutex.h"
#include "server/telemetry/call_log.h"
#include "server/telemetry/process_metrics.h"
#include "server/telemetry/recent_failures.h"

struct mg_connection;
struct mg_context;

namespace hearwire {

// `host:port` with IPv6 addresses in brackets.
std::string FormatAddress(const std::string& host, int port);

class Exposer {
 public:
  // Listens at once and serves the process's metrics. port 0 takes a free one. Debian's HTTP server speaks IPv4 only:
  // for :: it listens on 0.0.0.0, for ::1 on 127.0.0.1.
  // FAILED_PRECONDITION: the port is taken, or the host is no address of this machine, or another one of IPv6.
  //
  // Call it before loading anything with much thread-local storage, such as CUDA's libraries: the HTTP server's threads
  // have small stacks, which that storage is taken from, and would not start.
  static absl::StatusOr<std::unique_ptr<Exposer>> Create(const std::string& host, int port);

  // Stops listening; takes up to two seconds, for so long the HTTP server sleeps.
  ~Exposer();
  Exposer(const Exposer&) = delete;
  Exposer& operator=(const Exposer&) = delete;

  // Serves these metrics too, for as long as their owner keeps them; a scrape lacks those whose collection throws.
  // Thread-safe.
  void Add(const std::weak_ptr<prometheus::Collectable>& metrics);

  // What /readyz says: "serving" is 200, anything else 503. "starting" until this is called. Thread-safe.
  void SetState(std::string_view state);

  // A call has been answered. Thread-safe.
  void OnCall(const CallRecord& call, absl::Time now) { failures_.Add(call, now); }

  int port() const { return port_; }
  std::string address() const { return FormatAddress(host_, port_); }

 private:
  struct Answer {
    int code = 200;
    std::string_view type = "text/plain; charset=utf-8";
    std::string body = {};
    std::string_view policy = "default-src 'none'";  // Content-Security-Policy
  };

  Exposer() = default;

  static int OnRequest(mg_connection* connection, void* exposer);
  Answer AnswerTo(std::string_view method, std::string_view path);
  std::string Metrics();

  std::shared_ptr<ProcessMetrics> process_ = std::make_shared<ProcessMetrics>();
  std::string host_;
  int port_ = 0;
  RecentFailures failures_;

  Mutex mu_;
  std::vector<std::weak_ptr<prometheus::Collectable>> metrics_ ABSL_GUARDED_BY(mu_);
  std::string state_ ABSL_GUARDED_BY(mu_) = "starting";

  mg_context* http_ = nullptr;  // Last: its threads use the others.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_TELEMETRY_EXPOSER_H_
