#include "load/server_metrics.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace hearwire::load {
namespace {

// Reads `name="value",…}` up to and including the closing brace; false when it is not that.
bool ReadLabels(std::string_view& rest, std::map<std::string, std::string>* labels) {
  while (!rest.empty() && rest.front() != '}') {
    const size_t equals = rest.find("=\"");
    if (equals == std::string_view::npos) return false;
    const std::string name(rest.substr(0, equals));
    rest.remove_prefix(equals + 2);
    std::string value;
    while (!rest.empty() && rest.front() != '"') {
      if (rest.front() == '\\' && rest.size() > 1) rest.remove_prefix(1);
      value += rest.front();
      rest.remove_prefix(1);
    }
    if (rest.empty()) return false;
    rest.remove_prefix(1);
    if (!rest.empty() && rest.front() == ',') rest.remove_prefix(1);
    (*labels)[name] = value;
  }
  if (rest.empty()) return false;
  rest.remove_prefix(1);
  return true;
}

size_t Append(char* bytes, size_t size, size_t count, void* text) {
  static_cast<std::string*>(text)->append(bytes, size * count);
  return size * count;
}

// The hosts that are asked directly: this machine, and those of the environment, which the option would replace.
std::string NoProxy() {
  const std::string hosts = "127.0.0.1,localhost,::1";
  for (const char* name : {"no_proxy", "NO_PROXY"}) {  // In curl's order.
    const char* list = std::getenv(name);
    if (list == nullptr || *list == '\0') continue;
    if (std::string_view(list) == "*") return list;  // All hosts, but only where it stands alone.
    return absl::StrCat(hosts, ",", list);
  }
  return hosts;
}

std::string WithPath(const std::string& url) {
  const size_t scheme = url.find("://");
  const size_t host = scheme == std::string::npos ? 0 : scheme + 3;
  const size_t slash = url.find('/', host);
  if (slash == std::string::npos) return url + "/metrics";
  return slash + 1 == url.size() ? url + "metrics" : url;
}

}  // namespace

MetricsPage ParseMetrics(std::string_view text) {
  MetricsPage page;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const size_t name_end = line.find_first_of("{ ");
    if (name_end == std::string_view::npos) continue;
    const std::string name(line.substr(0, name_end));
    MetricSample sample;
    const bool labelled = line[name_end] == '{';
    line.remove_prefix(name_end + 1);
    if (labelled && !ReadLabels(line, &sample.labels)) continue;
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const std::string value(line.substr(0, line.find(' ')));
    if (absl::SimpleAtod(value, &sample.value)) page[name].push_back(std::move(sample));
  }
  return page;
}

double SumOf(const MetricsPage& page, const std::string& name, const std::map<std::string, std::string>& labels) {
  const auto family = page.find(name);
  if (family == page.end()) return 0;
  double sum = 0;
  for (const MetricSample& sample : family->second) {
    const bool wanted = std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
      const auto found = sample.labels.find(label.first);
      return found != sample.labels.end() && found->second == label.second;
    });
    if (wanted) sum += sample.value;
  }
  return sum;
}

bool Restarted(const MetricsPage& before, const MetricsPage& after) {
  constexpr char kStart[] = "process_start_time_seconds";
  return before.count(kStart) > 0 && after.count(kStart) > 0 && SumOf(before, kStart) != SumOf(after, kStart);
}

absl::StatusOr<MetricsPage> FetchMetrics(const std::string& url) {
  const std::string address = WithPath(url);
  const auto unavailable = [&](const std::string& what) {
    return absl::UnavailableError(absl::StrCat("no metrics at ", address, ": ", what));
  };
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), &curl_easy_cleanup);
  if (curl == nullptr) return unavailable("out of memory");
  std::string text;
  curl_easy_setopt(curl.get(), CURLOPT_URL, address.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, NoProxy().c_str());
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, 5000L);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &Append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &text);
  const CURLcode result = curl_easy_perform(curl.get());
  if (result != CURLE_OK) return unavailable(curl_easy_strerror(result));
  long code = 0;  // NOLINT(google-runtime-int): curl's type.
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &code);
  if (code != 200) return unavailable(absl::StrCat("HTTP status ", code));
  MetricsPage page = ParseMetrics(text);
  if (page.count("hearwire_requests_total") == 0) return unavailable("the page has no hearwire_requests_total");
  return page;
}

}  // namespace hearwire::load
