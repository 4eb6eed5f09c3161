#include "server/telemetry/exposer.h"

#include <prometheus/metric_family.h>

#include <exception>
#include <new>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/concurrency/border.h"

namespace hearwire {
namespace {

// A connection holds a thread until its request has come, or the time for it has passed: fewer idle ones than threads
// do not keep a scrape waiting, and as many again cost it a quarter of a second more. Scrapers are few and patient, and
// each thread counts where threads are limited.
constexpr char kThreads[] = "16";
constexpr char kRequestTimeoutMs[] = "250";
// Those that wait for a thread, in the server and in the kernel, which drops what is beyond.
constexpr char kConnectionQueue[] = "512";
constexpr char kListenBacklog[] = "512";

// CivetWeb's threads collect; an exception must not reach them.
class ContainedCollectable final : public prometheus::Collectable {
 public:
  explicit ContainedCollectable(std::weak_ptr<prometheus::Collectable> metrics) : metrics_(std::move(metrics)) {}
  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> families;
    (void)Contain([&] {
      if (const auto metrics = metrics_.lock()) families = metrics->Collect();
    });
    return families;
  }

 private:
  const std::weak_ptr<prometheus::Collectable> metrics_;
};

}  // namespace

std::string FormatAddress(const std::string& host, int port) {
  const bool bare_ipv6 = host.find(':') != std::string::npos && host.front() != '[';
  return bare_ipv6 ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

absl::StatusOr<std::unique_ptr<Exposer>> Exposer::Create(const std::string& host, int port) {
  std::unique_ptr<Exposer> exposer(new Exposer());
  const std::string bare = host.front() == '[' && host.back() == ']' ? host.substr(1, host.size() - 2) : host;
  exposer->host_ = bare == "::" ? "0.0.0.0" : bare == "::1" ? "127.0.0.1" : host;
  if (exposer->host_.find(':') != std::string::npos) {
    return absl::FailedPreconditionError(absl::StrCat("metrics cannot be served on ", host,
                                                      ": the HTTP server speaks IPv4 only, so of IPv6 take :: or ::1"));
  }
  const std::string address = FormatAddress(exposer->host_, port);
  try {
    exposer->http_ = std::make_unique<prometheus::Exposer>(std::vector<std::string>{
        "listening_ports", address, "num_threads", kThreads, "request_timeout_ms", kRequestTimeoutMs,
        "connection_queue", kConnectionQueue, "listen_backlog", kListenBacklog});
    const std::vector<int> ports = exposer->http_->GetListeningPorts();
    if (ports.empty()) return absl::InternalError(absl::StrCat("metrics: nothing listens on ", address));
    exposer->port_ = ports.front();
    exposer->Add(exposer->process_);
  } catch (const std::bad_alloc&) {
    throw;                           // The start's border says so.
  } catch (const std::exception&) {  // CivetWeb's, without a reason.
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot listen on ", address, " for metrics: the port is taken, or ", host, " is no address of this machine"));
  }
  return exposer;
}

void Exposer::Add(const std::weak_ptr<prometheus::Collectable>& metrics) {
  auto contained = std::make_shared<ContainedCollectable>(metrics);
  http_->RegisterCollectable(contained);
  MutexLock lock(&mu_);
  added_.push_back(std::move(contained));
}

}  // namespace hearwire
