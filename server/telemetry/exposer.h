// The HTTP server that Prometheus scrapes: GET /metrics, everything else is 404.

#ifndef HEARWIRE_SERVER_TELEMETRY_EXPOSER_H_
#define HEARWIRE_SERVER_TELEMETRY_EXPOSER_H_

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "server/concurrency/mutex.h"
#include "server/telemetry/process_metrics.h"

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
  ~Exposer() = default;

  // Serves these metrics too, for as long as their owner keeps them; a scrape lacks those whose collection throws.
  // Thread-safe.
  void Add(const std::weak_ptr<prometheus::Collectable>& metrics);

  int port() const { return port_; }
  std::string address() const { return FormatAddress(host_, port_); }

 private:
  Exposer() = default;

  Mutex mu_;
  std::vector<std::shared_ptr<prometheus::Collectable>> added_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<ProcessMetrics> process_ = std::make_shared<ProcessMetrics>();
  std::string host_;
  int port_ = 0;
  std::unique_ptr<prometheus::Exposer> http_;  // Last: its threads read the other.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_TELEMETRY_EXPOSER_H_
