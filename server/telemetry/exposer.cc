#include "server/telemetry/exposer.h"

#include <civetweb.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/concurrency/border.h"
#include "server/telemetry/status_page.h"

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

constexpr std::string_view kServing = "serving";

const char* ReasonPhrase(int code) {
  switch (code) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    default:
      return "Service Unavailable";
  }
}

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
  exposer->Add(exposer->process_);
  const char* options[] = {"listening_ports",
                           address.c_str(),
                           "num_threads",
                           kThreads,
                           "request_timeout_ms",
                           kRequestTimeoutMs,
                           "connection_queue",
                           kConnectionQueue,
                           "listen_backlog",
                           kListenBacklog,
                           nullptr};
  const mg_callbacks callbacks = {};
  exposer->http_ = mg_start(&callbacks, nullptr, options);
  if (exposer->http_ == nullptr) {  // CivetWeb gives no reason.
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot listen on ", address, " for metrics: the port is taken, or ", host, " is no address of this machine"));
  }
  mg_server_port listening = {};
  if (mg_get_server_ports(exposer->http_, 1, &listening) != 1) {
    return absl::InternalError(absl::StrCat("metrics: nothing listens on ", address));
  }
  exposer->port_ = listening.port;
  mg_set_request_handler(exposer->http_, "**", OnRequest, exposer.get());
  return exposer;
}

Exposer::~Exposer() {
  if (http_ != nullptr) mg_stop(http_);
}

void Exposer::Add(const std::weak_ptr<prometheus::Collectable>& metrics) {
  MutexLock lock(&mu_);
  std::erase_if(metrics_, [](const auto& one) { return one.expired(); });
  metrics_.push_back(metrics);
}

void Exposer::SetState(std::string_view state) {
  MutexLock lock(&mu_);
  state_ = state;
}

int Exposer::OnRequest(mg_connection* connection, void* exposer) {
  const mg_request_info* const request = mg_get_request_info(connection);
  const std::string_view method = request->request_method;
  // CivetWeb's threads ask; an exception must not reach them. Where there is no memory for an answer there is none.
  Answer answer;
  std::string head;
  const absl::Status made = Contain([&] {
    answer = static_cast<Exposer*>(exposer)->AnswerTo(method, request->local_uri);
    head = absl::StrCat("HTTP/1.1 ", answer.code, " ", ReasonPhrase(answer.code),
                        "\r\nContent-Type: ", std::string(answer.type), "\r\nContent-Length: ", answer.body.size(),
                        answer.code == 405 ? "\r\nAllow: GET, HEAD" : "",
                        "\r\nContent-Security-Policy: ", std::string(answer.policy),
                        "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n");
  });
  if (!made.ok()) return 503;
  mg_write(connection, head.data(), head.size());
  if (method != "HEAD") mg_write(connection, answer.body.data(), answer.body.size());
  return answer.code;
}

Exposer::Answer Exposer::AnswerTo(std::string_view method, std::string_view path) {
  if (method != "GET" && method != "HEAD") return {.code = 405, .body = "GET and HEAD are answered here\n"};
  if (path == "/metrics") return {.type = "text/plain; version=0.0.4; charset=utf-8", .body = Metrics()};
  if (path == "/healthz") return {.body = "ok\n"};
  if (path == "/readyz") {
    MutexLock lock(&mu_);
    return {.code = state_ == kServing ? 200 : 503, .body = absl::StrCat(state_, "\n")};
  }
  if (path == "/errors.json") return {.type = "application/json", .body = failures_.Json()};
  if (path == "/") {
    return {.type = "text/html; charset=utf-8", .body = std::string(StatusPage()), .policy = kStatusPagePolicy};
  }
  return {.code = 404, .body = "there are /, /metrics, /healthz, /readyz and /errors.json here\n"};
}

std::string Exposer::Metrics() {
  std::vector<std::shared_ptr<prometheus::Collectable>> sources;
  {
    MutexLock lock(&mu_);
    for (const auto& one : metrics_) {
      if (auto source = one.lock()) sources.push_back(std::move(source));
    }
  }
  std::vector<prometheus::MetricFamily> families;
  for (const auto& source : sources) {
    (void)Contain([&] {
      std::vector<prometheus::MetricFamily> some = source->Collect();
      families.insert(families.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
    });
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace hearwire
